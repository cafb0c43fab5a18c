// Launching the forward kernel of one head dimension, instantiated in one file each (forward_d64.cu, ...),
// which the compiler then works on side by side.
#pragma once

#include "flash_hopper/forward_kernel.cuh"

namespace gen::flash_hopper {

/// Masked: some element's visibility depends on the band. `blocks` is the grid. Returns the CUDA error.
template <int Dim>
int launch_forward(const Arguments& args, ops::flash::DType dtype, bool masked, int blocks,
                   cudaStream_t stream) {
  using Block = Tile<Dim>;
  const auto kernel =
      dtype == ops::flash::DType::f16
          ? (masked ? hopper_forward<Block, __half, true> : hopper_forward<Block, __half, false>)
          : (masked ? hopper_forward<Block, __nv_bfloat16, true>
                    : hopper_forward<Block, __nv_bfloat16, false>);
  if (const cudaError_t error =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Block::kSharedBytes);
      error != cudaSuccess)
    return static_cast<int>(error);
  kernel<<<static_cast<unsigned>(blocks), Block::kThreads, Block::kSharedBytes, stream>>>(args);
  return static_cast<int>(cudaGetLastError());
}

extern template int launch_forward<64>(const Arguments&, ops::flash::DType, bool, int, cudaStream_t);
extern template int launch_forward<128>(const Arguments&, ops::flash::DType, bool, int, cudaStream_t);
extern template int launch_forward<256>(const Arguments&, ops::flash::DType, bool, int, cudaStream_t);

}  // namespace gen::flash_hopper
