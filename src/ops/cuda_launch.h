// From a tensor to what cuda/'s launchers are given.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "gen/core/check.h"
#include "gen/core/device.h"
#include "gen/ops/fused/element.h"

namespace gen::ops {

/// Empty for a dtype that the kernels do not take.
inline std::optional<fused::DType> dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return fused::DType::f32;
    case at::kHalf:
      return fused::DType::f16;
    case at::kBFloat16:
      return fused::DType::bf16;
    default:
      return std::nullopt;
  }
}

template <class T>
T* pointer(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

namespace cuda {

/// The launcher that libgen_cuda.so exports by this name, or null.
template <class Launcher>
Launcher launcher(const char* symbol) {
  return reinterpret_cast<Launcher>(cuda_symbol(symbol));
}

/// gen computes on the default stream.
template <class Launcher, class Problem>
void launch(Launcher launcher, const Problem& problem, const char* name) {
  const int error = launcher(&problem, nullptr);
  GEN_CHECK(error == 0, "the CUDA kernel of {} failed with error {}", name, error);
}

}  // namespace cuda

}  // namespace gen::ops
