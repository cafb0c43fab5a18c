// Tensors that a person gives by name (`gen forward`), checked before anything is computed and converted where their values
// stay what they are. Each function throws DataError: what was expected, what was given, what to do.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "gen/io/tensor_map.h"

namespace gen {

/// "float64 [2, 3, 16, 16]".
std::string shown(const at::Tensor& tensor);

/// The names of tensors that are not those expected: the first few, as a file of weights given by mistake has hundreds.
std::string names_of(const TensorMap& tensors);

/// Floating-point examples [B, *shape], B >= 1, as `dtype`; a size of -1 in `shape` stands for any.
at::Tensor examples_input(const std::string& name, const at::Tensor& given, at::IntArrayRef shape,
                          at::ScalarType dtype);
/// A number for each of `count` examples, or one for all of them, as [count]: float32, or int64 of integers.
at::Tensor numbers_input(const std::string& name, const at::Tensor& given, int64_t count);
/// A class for each of `count` examples, or one for all of them, as int64 [count], in [0, num_classes).
at::Tensor classes_input(const std::string& name, const at::Tensor& given, int64_t count,
                         int64_t num_classes);

}  // namespace gen
