// The training times that a solver visits.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace gen {

/// How N times are chosen among T, under diffusers' names (Lin et al. 2024, table 2).
enum class TimestepSpacing { leading, trailing, linspace };

inline constexpr std::array<std::pair<const char*, TimestepSpacing>, 3> kTimestepSpacings{
    {{"leading", TimestepSpacing::leading},
     {"trailing", TimestepSpacing::trailing},
     {"linspace", TimestepSpacing::linspace}}};

/// Times in decreasing order; the data lie one step after the last.
struct TimeGrid {
  std::vector<double> points;
};

/// `steps` integer times of 0 .. num_timesteps - 1:
/// leading: i * (T / N), rounded down to a multiple, plus `steps_offset`; trailing: T - i * T/N - 1, so that
/// T - 1 is among them, with the rounding of numpy's arange (the time -1 that diffusers adds at some N is left out); linspace: from T - 1 to 0, both among them. Ties round to even. Throws OptionError
/// where steps exceeds T or the offset leads beyond T - 1.
TimeGrid make_time_grid(TimestepSpacing spacing, int64_t num_timesteps, int64_t steps,
                        int64_t steps_offset = 0);

}  // namespace gen
