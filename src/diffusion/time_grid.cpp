#include "diffusion/time_grid.h"

#include <fmt/format.h>

#include <cmath>

#include "gen/config/option_error.h"
#include "gen/core/check.h"

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
    throw OptionError("/steps", fmt::format("expected at most {}, the timesteps of the noise schedule "
                                            "(num_train_timesteps), got {}",
                                            num_timesteps, steps));
  TimeGrid grid;
  grid.points.reserve(static_cast<size_t>(steps));
  for (int64_t i = steps - 1; i >= 0; --i)
    grid.points.push_back(time_at(spacing, num_timesteps, steps, steps_offset, i));
  if (grid.points.front() > static_cast<double>(num_timesteps - 1))
    throw OptionError(
        "/steps_offset",
        fmt::format(
            "expected at most {} with {} steps of the {} timesteps, got {} (the first time would be {}, "
            "beyond the last of the noise schedule; lower it, or take timestep_spacing trailing)",
            num_timesteps - 1 - (steps - 1) * (num_timesteps / steps), steps, num_timesteps, steps_offset,
            grid.points.front()));
  return grid;
}

}  // namespace gen
