#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace gen {
/// Tensors by name, in the order that files and error texts list them.
using TensorMap = std::map<std::string, at::Tensor>;
/// String annotations of a file.
using Metadata = std::map<std::string, std::string>;
}  // namespace gen
