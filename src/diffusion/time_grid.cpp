#include "diffusion/time_grid.h"

#include <fmt/format.h>

#include <cmath>

#include "gen/core/check.h"
#include "gen/core/error.h"

namespace gen {
namespace {

// The i-th time from the data's side, i = 0 .. steps - 1.
double time_at(TimestepSpacing spacing, int64_t num_timesteps, int64_t steps, int64_t steps_offset,
               int64_t i) {
  const auto T = static_cast<double>(num_timesteps), N = static_cast<double>(steps);
  switch (spacing) {
    case TimestepSpacing::leading:
      return static_cast<double>(i * (num_timesteps / steps) + steps_offset);
    case TimestepSpacing::trailing: {
      // The stride as numpy's arange(T, 0, -T / N), and so diffusers, rounds it: it decides where halves go.
      const double stride = (T - T / N) - T;
      return std::nearbyint(T + static_cast<double>(steps - 1 - i) * stride) - 1;
    }
    case TimestepSpacing::linspace:
      return steps == 1 ? T - 1 : std::nearbyint(static_cast<double>(i) * ((T - 1) / (N - 1)));
  }
  GEN_CHECK(false, "unknown spacing {}", static_cast<int>(spacing));
}

}  // namespace

TimeGrid make_time_grid(TimestepSpacing spacing, int64_t num_timesteps, int64_t steps, int64_t steps_offset) {
  if (steps > num_timesteps)
    throw ConfigError(
        fmt::format("sampler: steps: expected at most the {} timesteps of the noise schedule, got {}",
                    num_timesteps, steps));
  TimeGrid grid;
  grid.points.reserve(static_cast<size_t>(steps));
  for (int64_t i = steps - 1; i >= 0; --i)
    grid.points.push_back(time_at(spacing, num_timesteps, steps, steps_offset, i));
  if (grid.points.front() > static_cast<double>(num_timesteps - 1))
    throw ConfigError(
        fmt::format("sampler: steps_offset: expected a first time of at most {}, got {} (lower "
                    "steps_offset or steps)",
                    num_timesteps - 1, grid.points.front()));
  return grid;
}

}  // namespace gen
