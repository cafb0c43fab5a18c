// AdamW with the average of the weights over many tensors: reads parameter, gradient, two moments and the average, writes
// all but the gradient: 36 bytes an element (28 without an average) and about 15 flops, so memory bound. CPU twin:
// src/ops/adamw.cpp. Body: include/gen/ops/fused/adamw.h.
#include <cuda_runtime.h>

#include "gen/ops/fused/adamw.h"

namespace gen::ops::fused {
namespace {

__global__ void __launch_bounds__(kAdamThreads) adamw(const __grid_constant__ AdamList list) {
  __shared__ AdamShared shared;
  adam_block(DeviceTeam(), list, shared);
}

}  // namespace
}  // namespace gen::ops::fused

extern "C" __attribute__((visibility("default"))) int gen_cuda_adamw(const gen::ops::fused::AdamList* list,
                                                                     void* stream) {
  using namespace gen::ops::fused;
  const int64_t blocks = list->first_block[list->count];
  if (blocks > 0x7fffffff) return cudaErrorInvalidValue;
  if (blocks > 0)
    adamw<<<static_cast<unsigned>(blocks), kAdamThreads, 0, static_cast<cudaStream_t>(stream)>>>(*list);
  return cudaGetLastError();
}
