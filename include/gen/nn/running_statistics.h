// What normalises by statistics that it keeps of its inputs.
#pragma once

#include <optional>

namespace gen {

/// A module that moves running statistics in training, as buffers, and uses them in evaluation (batch normalisation).
class RunningStatistics {
 public:
  virtual ~RunningStatistics() = default;
  /// The weight of the next batches in the statistics, in place of the configured one; absent: that one again.
  virtual void set_momentum(std::optional<double> momentum) = 0;
};

}  // namespace gen
