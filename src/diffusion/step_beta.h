#pragma once

#include <algorithm>

namespace gen {

/// beta of the step between two noise levels, 1 - alpha_bar / alpha_bar_prev, in [0, 1]; 0 between two levels of noise
/// alone, where the step changes nothing.
inline double step_beta(double alpha_bar, double alpha_bar_prev) {
  return alpha_bar_prev > 0 ? std::clamp(1 - alpha_bar / alpha_bar_prev, 0.0, 1.0) : 0;
}

}  // namespace gen
