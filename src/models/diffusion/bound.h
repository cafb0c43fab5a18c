// The variational bound of a diffusion in discrete time (Ho et al. 2020, eq. 5), as functions of tensors. Times t are
// the schedule's 0 .. T - 1, the paper's 1 .. T.
#pragma once

#include <ATen/core/Tensor.h>

#include "gen/diffusion/noise_schedule.h"

namespace gen {

/// KL(q(x_T | x0) || N(0, 1)), summed over dimensions: [B] nats for x0 [B, *shape].
at::Tensor prior_kl(const at::Tensor& x0, const NoiseSchedule& schedule);

/// w [T] with KL(q(x_{t-1} | x_t, x0) || p(x_{t-1} | x_t)) = w(t) |x0 - D(x_t)|^2 for t >= 1 and reverse variances equal
/// to the posterior's: w(t) = (SNR(t-1) - SNR(t)) / 2 (Kingma et al. 2021, eq. 14). w(0), which has no such term, is 0.
at::Tensor kl_weights(const NoiseSchedule& schedule);

/// Probabilities [T] with which the times of a random KL term are drawn: proportional to the terms themselves if every
/// dimension were normal with the variance of a uniform pixel in [-1, 1]. Terms span orders of magnitude, and drawing
/// them evenly would leave most of the bound to a few of the draws (Nichol & Dhariwal 2021, section 3.3). Throws
/// NumericalError where a term is infinite.
at::Tensor time_probabilities(const NoiseSchedule& schedule);

/// The standard deviation of p(x0 | x_0), where the posterior has none: that of the next time (Nichol & Dhariwal 2021,
/// section 3.1).
double decoder_deviation(const NoiseSchedule& schedule);

/// What a bin holds at least in decoder_log_prob(), as in the code of Ho et al. 2020: 27.6 nats are the most that one
/// value costs.
inline constexpr double kLeastMass = 1e-12;
/// The tail of a normal distribution beyond so many deviations holds as much.
inline constexpr double kDeviationsToLeastMass = 7.03;

/// log p of x0 [B, *shape] in [-1, 1] under a normal density of that mean and deviation, integrated over the bin of
/// each of `levels` values, the outer bins without end (Ho et al. 2020, eq. 13); or the density where `levels` is 0.
/// Summed over dimensions: [B] nats, in double where `levels` is not 0.
at::Tensor decoder_log_prob(const at::Tensor& x0, const at::Tensor& mean, double deviation, int64_t levels);

}  // namespace gen
