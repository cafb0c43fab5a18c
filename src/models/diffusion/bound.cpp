#include "models/diffusion/bound.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace gen {
namespace {

at::Tensor sum_per_example(const at::Tensor& x) { return x.flatten(1).sum(1); }

double signal_to_noise(const NoiseSchedule& schedule, double t) {
  return std::pow(schedule.alpha(t) / schedule.sigma(t), 2);
}

at::Tensor normal_cdf(const at::Tensor& x) { return 0.5 * at::erfc(x * -std::numbers::sqrt2 / 2); }

}  // namespace

at::Tensor prior_kl(const at::Tensor& x0, const NoiseSchedule& schedule) {
  const auto last = static_cast<double>(schedule.num_timesteps() - 1);
  const double variance = std::pow(schedule.sigma(last), 2);
  return 0.5 *
         sum_per_example(std::pow(schedule.alpha(last), 2) * x0 * x0 + (variance - 1 - std::log(variance)));
}

at::Tensor kl_weights(const NoiseSchedule& schedule) {
  auto weights = torch::zeros({schedule.num_timesteps()}, at::kDouble);
  for (int64_t t = 1; t < schedule.num_timesteps(); ++t) {
    const auto here = static_cast<double>(t);
    weights.data_ptr<double>()[t] =
        (signal_to_noise(schedule, here - 1) - signal_to_noise(schedule, here)) / 2;
  }
  return weights;
}

at::Tensor time_probabilities(const NoiseSchedule& schedule) {
  constexpr double kVariance = 1.0 / 3;
  auto terms = kl_weights(schedule);
  for (int64_t t = 1; t < schedule.num_timesteps(); ++t) {
    const auto here = static_cast<double>(t);
    const double signal = std::pow(schedule.alpha(here), 2), noise = std::pow(schedule.sigma(here), 2);
    terms.data_ptr<double>()[t] *= kVariance * noise / (signal * kVariance + noise);
  }
  return terms / terms.sum().clamp_min(1e-300);
}

double decoder_deviation(const NoiseSchedule& schedule) {
  const auto& cumulative = schedule.alphas_cumprod();
  if (cumulative.size() < 2) return schedule.sigma(0);
  const double beta = 1 - cumulative[1] / cumulative[0];
  return std::sqrt((1 - cumulative[0]) / (1 - cumulative[1]) * beta);
}

at::Tensor decoder_log_prob(const at::Tensor& x0, const at::Tensor& mean, double deviation, int64_t levels) {
  if (levels == 0) {
    const auto z = (x0 - mean) / deviation;
    return sum_per_example(-0.5 * z * z - std::log(deviation * std::sqrt(2 * std::numbers::pi)));
  }
  const double half_bin = 1.0 / static_cast<double>(levels - 1);
  const auto above = normal_cdf((x0 + half_bin - mean) / deviation);
  const auto below = normal_cdf((x0 - half_bin - mean) / deviation);
  const auto inside =
      at::where(x0 > 1 - half_bin, 1 - below, at::where(x0 < half_bin - 1, above, above - below));
  return sum_per_example(at::log(inside.clamp_min(1e-12)));
}

}  // namespace gen
