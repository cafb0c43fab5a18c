// Launching a kernel whose shared memory is its tile's.
#pragma once

#include <cuda_runtime.h>

#include "by_dtype.cuh"
#include "flash/device_machine.cuh"
#include "flash/kernels.h"

namespace gen::flash {

/// body(Element<T>()) for float16 and bfloat16.
template <class Body>
int by_element(DType dtype, Body body) {
  return dtype == DType::f16 ? body(ops::fused::Element<F16>()) : body(ops::fused::Element<Bf16>());
}

template <bool kGeneral>
struct RuleOf {
  using type = Plain;
};
template <>
struct RuleOf<true> {
  using type = General;
};

template <typename Tile, typename Arguments>
int launch(void (*kernel)(Arguments), const Arguments& arguments, int64_t blocks, cudaStream_t stream) {
  constexpr auto kBytes = static_cast<int>(Tile::kSharedBytes);
  if (blocks == 0) return cudaSuccess;
  if (kBytes > 48 * 1024)
    if (const cudaError_t error =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
        error != cudaSuccess)
      return error;
  kernel<<<static_cast<unsigned>(blocks), Tile::kThreads, kBytes, stream>>>(arguments);
  return cudaGetLastError();
}

}  // namespace gen::flash
