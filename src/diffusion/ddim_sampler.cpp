#include "diffusion/ddim_sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "diffusion/step_beta.h"

namespace gen {
namespace {

class DdimSampler final : public Sampler {
 public:
  explicit DdimSampler(const DdimSamplerOptions& options) : options_(options) {}

  int64_t evaluations(const NoiseSchedule&) const override { return options_.steps; }
  void check(const NoiseSchedule& schedule) const override { grid(schedule); }

  at::Tensor run(Denoiser& denoise, const NoiseSchedule& schedule, at::Tensor x, const NoiseSource& noise,
                 const StepProgress& progress) const override {
    const auto bound = clipping_bound(options_.clipping, denoise);
    const auto grid = this->grid(schedule);
    for (size_t i = 0; i < grid.points.size(); ++i) {
      const double t = grid.points[i];
      const double alpha = schedule.alpha(t), sigma = schedule.sigma(t);
      const double alpha_bar_prev = next_alpha_bar(schedule, grid, i),
                   sigma_prev = std::sqrt(1 - alpha_bar_prev);
      auto x0 = denoise(x, t);
      if (options_.use_clipped_model_output) x0 = clipped(x0, bound);
      // Without noise x is x0 already, and so it stays.
      const auto e = sigma > 0 ? x.sub(x0, alpha).div_(sigma) : at::zeros_like(x);
      x0 = clipped(x0, bound);
      // Song et al. 2021, eq. 16, then eq. 12: x0, the direction to x_t, and noise.
      const double s =
          sigma > 0 ? options_.eta * sigma_prev / sigma * std::sqrt(step_beta(alpha * alpha, alpha_bar_prev))
                    : 0;
      x = (x0 * std::sqrt(alpha_bar_prev)).add_(e, std::sqrt(std::max(0.0, sigma_prev * sigma_prev - s * s)));
      if (s > 0) x.add_(noise(x), s);
      if (progress) progress(static_cast<int64_t>(i) + 1, options_.steps);
    }
    return x;
  }

 private:
  TimeGrid grid(const NoiseSchedule& schedule) const {
    return make_time_grid(options_.timestep_spacing, schedule.num_timesteps(), options_.steps,
                          options_.steps_offset);
  }

  // alpha_bar where step i leads to.
  double next_alpha_bar(const NoiseSchedule& schedule, const TimeGrid& grid, size_t i) const {
    double next = i + 1 < grid.points.size() ? grid.points[i + 1] : -1;
    if (options_.uniform_stride)
      next = grid.points[i] - static_cast<double>(schedule.num_timesteps() / options_.steps);
    if (next < 0 && options_.set_alpha_to_one) return 1;
    const double alpha = schedule.alpha(std::max(next, 0.0));
    return alpha * alpha;
  }

  DdimSamplerOptions options_;
};

}  // namespace

void DdimSamplerOptions::visit(OptionVisitor& v) {
  v.field("steps", steps, "network calls per sample", {.min = 1});
  v.field("eta", eta, "share of the ancestral noise: 0 is deterministic, 1 has the variance of ddpm",
          {.min = 0, .max = 1});
  v.choice("timestep_spacing", timestep_spacing, kTimestepSpacings,
           "which training timesteps are visited (Lin et al. 2024, table 2)");
  v.field("steps_offset", steps_offset, "added to the timesteps of leading spacing", {.min = 0});
  v.require(steps_offset == 0 || timestep_spacing == TimestepSpacing::leading, "steps_offset",
            "0 unless timestep_spacing is leading", fmt::format("{}", steps_offset));
  v.field("set_alpha_to_one", set_alpha_to_one,
          "the last step leads to clean data; false: to the noise level of timestep 0");
  v.field("uniform_stride", uniform_stride,
          "every step spans T / steps timesteps, even where the next timestep lies elsewhere, as diffusers' "
          "DDIMScheduler does (it matters for linspace)");
  v.field("use_clipped_model_output", use_clipped_model_output, "derive the noise from the clipped x0");
  clipping.visit(v);
}

std::unique_ptr<Sampler> make_ddim_sampler(const DdimSamplerOptions& options) {
  return std::make_unique<DdimSampler>(options);
}

Component default_sampler(const NoiseSchedule& schedule) {
  DdimSamplerOptions options;
  options.steps = std::min(options.steps, schedule.num_timesteps());
  return make_component(kDefaultSampler, options);
}

}  // namespace gen
