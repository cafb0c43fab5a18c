// The element types of safetensors and their LibTorch counterparts.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string>
#include <string_view>

namespace gen::safetensors {

struct Dtype {
  std::string_view name;
  c10::ScalarType scalar;
  uint64_t bytes;
  int rank;  ///< the reference library writes tensors of a higher rank first, so that each is aligned
};

/// nullptr where unknown.
const Dtype* find_dtype(std::string_view name);
const Dtype* find_dtype(c10::ScalarType scalar);
/// "BOOL, U8, ...", for error texts.
std::string known_dtypes();

}  // namespace gen::safetensors
