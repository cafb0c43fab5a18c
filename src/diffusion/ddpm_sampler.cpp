#include "diffusion/ddpm_sampler.h"

#include <ATen/ATen.h>

#include <cmath>

#include "diffusion/step_beta.h"

namespace gen {
namespace {

constexpr std::array<std::pair<const char*, VarianceType>, 2> kVarianceTypes{
    {{"fixed_small", VarianceType::fixed_small}, {"fixed_large", VarianceType::fixed_large}}};

class DdpmSampler final : public Sampler {
 public:
  explicit DdpmSampler(const DdpmSamplerOptions& options) : options_(options) {}

  int64_t evaluations(const NoiseSchedule& schedule) const override {
    return options_.steps.value_or(schedule.num_timesteps());
  }
  void check(const NoiseSchedule& schedule) const override { grid(schedule); }

  at::Tensor run(Denoiser& denoise, const NoiseSchedule& schedule, at::Tensor x, const NoiseSource& noise,
                 const StepProgress& progress) const override {
    const auto bound = clipping_bound(options_.clipping, denoise);
    const auto [times] = grid(schedule);
    for (size_t i = 0; i < times.size(); ++i) {
      const bool last = i + 1 == times.size();
      const double t = times[i];
      const double alpha_bar = squared(schedule.alpha(t));
      const double alpha_bar_prev = last ? 1 : squared(schedule.alpha(times[i + 1]));
      const Posterior q = posterior(alpha_bar, alpha_bar_prev);
      const auto x0 = clipped(denoise(x, t), bound);
      x = (x0 * q.of_x0).add_(x, q.of_x);
      if (!last && q.variance > 0) x.add_(noise(x), std::sqrt(q.variance));
      if (progress) progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(times.size()));
    }
    return x;
  }

 private:
  TimeGrid grid(const NoiseSchedule& schedule) const {
    return make_time_grid(options_.timestep_spacing, schedule.num_timesteps(), evaluations(schedule),
                          options_.steps_offset);
  }
  static double squared(double value) { return value * value; }

  /// q(x_{t-1} | x_t, x_0) (Ho et al. 2020, eq. 7) with the variance that was chosen; alpha_bar of Ho et al. is alpha^2
  /// here, and beta_t that of the step from t to the next time.
  struct Posterior {
    double of_x0, of_x, variance;
  };
  Posterior posterior(double alpha_bar, double alpha_bar_prev) const {
    if (alpha_bar == 1) return {1, 0, 0};  // no noise is left: x is x0
    const double beta_t = step_beta(alpha_bar, alpha_bar_prev);
    const double small = beta_t * (1 - alpha_bar_prev) / (1 - alpha_bar);
    return {std::sqrt(alpha_bar_prev) * beta_t / (1 - alpha_bar),
            std::sqrt(1 - beta_t) * (1 - alpha_bar_prev) / (1 - alpha_bar),
            options_.variance_type == VarianceType::fixed_small ? small : beta_t};
  }

  DdpmSamplerOptions options_;
};

}  // namespace

void DdpmSamplerOptions::visit(OptionVisitor& v) {
  v.field("steps", steps, "network calls per sample; null: one for every training timestep", {.min = 1});
  v.choice("timestep_spacing", timestep_spacing, kTimestepSpacings,
           "which training timesteps are visited (Lin et al. 2024, table 2)");
  v.field("steps_offset", steps_offset, "added to the timesteps of leading spacing", {.min = 0});
  v.require(steps_offset == 0 || timestep_spacing == TimestepSpacing::leading, "steps_offset",
            "0 unless timestep_spacing is leading", fmt::format("{}", steps_offset));
  v.choice("variance_type", variance_type, kVarianceTypes,
           "variance of the added noise: of the posterior given x0 (fixed_small) or beta (fixed_large)");
  clipping.visit(v);
}

std::unique_ptr<Sampler> make_ddpm_sampler(const DdpmSamplerOptions& options) {
  return std::make_unique<DdpmSampler>(options);
}

}  // namespace gen
