#include "models/diffusion/bound.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gen/core/error.h"
#include "gen/nn/row_wise.h"

namespace gen {
namespace {

double signal_to_noise(const NoiseSchedule& schedule, double t) {
  return std::pow(schedule.alpha(t) / schedule.sigma(t), 2);
}

/// log(Phi(upper) - Phi(lower)) for lower < upper. The bin is mirrored to below the mean, where both are far from 1 and
/// their logarithms exact.
at::Tensor log_normal_mass(const at::Tensor& lower, const at::Tensor& upper) {
  const auto above = (lower + upper) > 0;
  const auto from = at::special_log_ndtr(at::where(above, -upper, lower)),
             to = at::special_log_ndtr(at::where(above, -lower, upper));
  return to + at::log(-at::expm1(from - to));
}

}  // namespace

at::Tensor prior_kl(const at::Tensor& x0, const NoiseSchedule& schedule) {
  const auto last = static_cast<double>(schedule.num_timesteps() - 1);
  const double variance = std::pow(schedule.sigma(last), 2);
  return 0.5 * row_wise::sum_of_each(std::pow(schedule.alpha(last), 2) * x0 * x0 +
                                     (variance - 1 - std::log(variance)));
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
  const double sum = terms.sum().item<double>();
  if (!std::isfinite(sum))
    throw NumericalError(
        "the variational bound is infinite: the noise schedule's first times have no noise at all, so an "
        "error of any "
        "size is impossible there (raise its beta_start)");
  return terms / std::max(sum, 1e-300);
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
    return row_wise::sum_of_each(-0.5 * z * z - std::log(deviation * std::sqrt(2 * std::numbers::pi)));
  }
  // In double: the bin's mass is a small difference. Without noise all of it lies in the mean's bin.
  const double half_bin = 1.0 / static_cast<double>(levels - 1), scale = std::max(deviation, 1e-12);
  const auto centre = x0.to(at::kDouble) - mean.to(at::kDouble);
  const auto lower = (centre - half_bin) / scale, upper = (centre + half_bin) / scale;
  const auto inside =
      at::where(x0 > 1 - half_bin, at::special_log_ndtr(-lower),
                at::where(x0 < half_bin - 1, at::special_log_ndtr(upper), log_normal_mass(lower, upper)));
  return row_wise::sum_of_each(inside.clamp_min(std::log(kLeastMass)));
}

}  // namespace gen
