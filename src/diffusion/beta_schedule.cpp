#include "diffusion/beta_schedule.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gen/core/check.h"

namespace gen {
namespace {

constexpr double kMaxTimesteps = 100'000;

class BetaSchedule final : public NoiseSchedule {
 public:
  explicit BetaSchedule(std::vector<double> alphas_cumprod) : alphas_cumprod_(std::move(alphas_cumprod)) {}

  int64_t num_timesteps() const override { return static_cast<int64_t>(alphas_cumprod_.size()); }
  double alpha(double t) const override { return std::sqrt(squared_alpha(t)); }
  double sigma(double t) const override { return std::sqrt(1 - squared_alpha(t)); }
  const std::vector<double>& alphas_cumprod() const override { return alphas_cumprod_; }

 private:
  // log(sigma^2 / alpha^2) at a training time.
  double log_noise_to_signal(size_t i) const {
    return std::log((1 - alphas_cumprod_[i]) / alphas_cumprod_[i]);
  }

  double squared_alpha(double t) const {
    const double last = static_cast<double>(alphas_cumprod_.size() - 1);
    GEN_CHECK(t >= 0 && t <= last, "time {} is not in [0, {}]", t, last);
    const auto below = static_cast<size_t>(t);
    const double fraction = t - static_cast<double>(below);
    if (fraction == 0) return alphas_cumprod_[below];
    const double from = log_noise_to_signal(below), to = log_noise_to_signal(below + 1);
    // A line that ends at infinity is there all along.
    if (std::isinf(from)) return alphas_cumprod_[below];
    if (std::isinf(to)) return alphas_cumprod_[below + 1];
    return 1 / (1 + std::exp(std::lerp(from, to, fraction)));
  }

  std::vector<double> alphas_cumprod_;
};

void visit_timesteps(OptionVisitor& v, int64_t& num_train_timesteps) {
  v.field("num_train_timesteps", num_train_timesteps, "number of noise levels T",
          {.min = 2, .max = kMaxTimesteps});
}

void visit_beta_range(OptionVisitor& v, double& beta_start, double& beta_end) {
  const Limits between_0_and_1{.min = 0, .max = 1, .exclusive_min = true, .exclusive_max = true};
  v.field("beta_start", beta_start, "beta of the first step", between_0_and_1);
  v.field("beta_end", beta_end, "beta of the last step", between_0_and_1);
  v.require(beta_start <= beta_end, "beta_end", "at least beta_start", fmt::format("{}", beta_end));
}

}  // namespace

void LinearScheduleOptions::visit(OptionVisitor& v) {
  visit_timesteps(v, num_train_timesteps);
  visit_beta_range(v, beta_start, beta_end);
}

void ScaledLinearScheduleOptions::visit(OptionVisitor& v) {
  visit_timesteps(v, num_train_timesteps);
  visit_beta_range(v, beta_start, beta_end);
}

void CosineScheduleOptions::visit(OptionVisitor& v) {
  visit_timesteps(v, num_train_timesteps);
  v.field("max_beta", max_beta, "bound of beta, which would otherwise reach 1 at the end",
          {.min = 0, .max = 1, .exclusive_min = true, .exclusive_max = true});
}

std::unique_ptr<NoiseSchedule> make_beta_schedule(const at::Tensor& betas) {
  GEN_CHECK(betas.dim() == 1 && betas.numel() > 0, "betas have the shape {}", betas.sizes());
  GEN_CHECK(betas.min().item<double>() >= 0 && betas.max().item<double>() <= 1, "a beta is outside [0, 1]");
  const auto product = (1 - betas.to(at::kFloat).to(at::kDouble)).cumprod(0).contiguous();  // [T]
  const double* values = product.data_ptr<double>();
  return std::make_unique<BetaSchedule>(std::vector<double>(values, values + product.numel()));
}

std::unique_ptr<NoiseSchedule> make_linear_schedule(const LinearScheduleOptions& options) {
  return make_beta_schedule(at::linspace(options.beta_start, options.beta_end, options.num_train_timesteps));
}

std::unique_ptr<NoiseSchedule> make_scaled_linear_schedule(const ScaledLinearScheduleOptions& options) {
  return make_beta_schedule(
      at::linspace(std::sqrt(options.beta_start), std::sqrt(options.beta_end), options.num_train_timesteps)
          .square());
}

std::unique_ptr<NoiseSchedule> make_cosine_schedule(const CosineScheduleOptions& options) {
  const auto squared_cosine = [](double u) {
    const double c = std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2);
    return c * c;
  };
  const auto steps = static_cast<double>(options.num_train_timesteps);
  std::vector<double> betas;
  betas.reserve(static_cast<size_t>(options.num_train_timesteps));
  for (double i = 0; i < steps; ++i)
    betas.push_back(
        std::min(1 - squared_cosine((i + 1) / steps) / squared_cosine(i / steps), options.max_beta));
  return make_beta_schedule(torch::tensor(betas, at::kDouble));
}

}  // namespace gen
