// Optimizer state by parameter name, and gradients laid out as the fused kernels read them.
#pragma once

#include <string>
#include <vector>

#include "gen/train/optimizer.h"

namespace gen {

/// The gradient in its parameter's own strides: the fused kernels walk both as flat memory.
at::Tensor dense_gradient(const at::Tensor& parameter);

/// One named tensor of an optimizer's state and where it lives.
struct StateEntry {
  std::string name;  ///< "<parameter>.exp_avg"
  at::Tensor tensor;
};
/// Copies `state` into the entries. Throws DataError naming every missing, unexpected or wrongly shaped one.
void load_optimizer_state(const std::vector<StateEntry>& entries, const TensorMap& state);
TensorMap save_optimizer_state(const std::vector<StateEntry>& entries);

}  // namespace gen
