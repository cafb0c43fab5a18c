// x_t = alpha(t) x_0 + sigma(t) e. Doubles on the host, so that no solver step waits for the device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gen/config/component.h"

namespace gen {

class NoiseSchedule {
 public:
  virtual ~NoiseSchedule() = default;
  /// Training times are t = 0 .. num_timesteps() - 1, noisier as t grows.
  virtual int64_t num_timesteps() const = 0;
  /// Signal and noise at time t in [0, num_timesteps() - 1], either of which may be 0; between integers
  /// log(sigma / alpha) is linear in t.
  virtual double alpha(double t) const = 0;
  virtual double sigma(double t) const = 0;
  /// Cumulative product of (1 - beta), alpha(t)^2 for the variance-preserving schedules.
  virtual const std::vector<double>& alphas_cumprod() const = 0;
};

/// The noise_schedule kind: linear, scaled_linear, cosine (Ho et al. 2020; Rombach et al. 2022; Nichol &
/// Dhariwal 2021).
using NoiseScheduleKind = Kind<std::unique_ptr<NoiseSchedule>()>;
const NoiseScheduleKind& noise_schedules();

}  // namespace gen
