// GroupNorm + SiLU with skip, shift and film, forward and backward: x is read twice and y written once (forward: 3 words
// an element), x and dy read twice and dx written once (backward: 5); about 10 and 30 flops an element, so memory bound.
// CPU twin: src/ops/group_norm_cpu.cpp. Bodies: include/gen/ops/fused/group_norm_kernels.h.
#include <cuda_runtime.h>

#include "by_dtype.cuh"
#include "gen/ops/fused/group_norm_kernels.h"

namespace gen::ops::fused {
namespace {

using Problem = GroupNormProblem;

template <class T, int V, bool kBackward>
__global__ void __launch_bounds__(kGroupNormThreads) sums_planes(const __grid_constant__ Problem p) {
  channel_sums_planes<T, V, kBackward>(DeviceTeam(), p);
}
template <class T, int V, bool kBackward>
__global__ void __launch_bounds__(kGroupNormThreads) sums_last(const __grid_constant__ Problem p) {
  __shared__ ChannelSumsShared<V> shared;
  channel_sums_last<T, V, kBackward>(DeviceTeam(), p, shared);
}
template <class T>
__global__ void __launch_bounds__(kGroupNormThreads) forward_groups(const __grid_constant__ Problem p) {
  finish_forward<T>(DeviceTeam(), p);
}
__global__ void __launch_bounds__(kGroupNormThreads) backward_groups(const __grid_constant__ Problem p) {
  finish_backward(DeviceTeam(), p);
}
__global__ void __launch_bounds__(kGroupNormThreads) backward_parameters(const __grid_constant__ Problem p) {
  finish_parameters(DeviceTeam(), p);
}
template <class T, int V, bool kBackward>
__global__ void __launch_bounds__(kGroupNormThreads) write_result(const __grid_constant__ Problem p) {
  if (p.channels_last)
    write_last<T, V, kBackward>(DeviceTeam(), p);
  else
    write_planes<T, V, kBackward>(DeviceTeam(), p);
}

template <class T, int V, bool kBackward>
cudaError_t launch(const Problem& p, cudaStream_t stream) {
  const GroupNormGrid grid = group_norm_grid<V>(p);
  constexpr int64_t kMostBlocks = 0x7fffffff;
  if (grid.sums > kMostBlocks || grid.write * kGroupNormThreads > kMostBlocks || grid.sums_y > 65535)
    return cudaErrorInvalidValue;
  const auto blocks = [](int64_t x, int64_t y) {
    return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y));
  };
  if (p.channels_last)
    sums_last<T, V, kBackward><<<blocks(grid.sums, grid.sums_y), kGroupNormThreads, 0, stream>>>(p);
  else
    sums_planes<T, V, kBackward><<<blocks(grid.sums, 1), kGroupNormThreads, 0, stream>>>(p);
  if constexpr (kBackward) {
    backward_groups<<<blocks(grid.groups, 1), kGroupNormThreads, 0, stream>>>(p);
    backward_parameters<<<blocks(grid.parameters, 1), kGroupNormThreads, 0, stream>>>(p);
  } else {
    forward_groups<T><<<blocks(grid.groups, 1), kGroupNormThreads, 0, stream>>>(p);
  }
  write_result<T, V, kBackward><<<blocks(grid.write, grid.write_y), kGroupNormThreads, 0, stream>>>(p);
  return cudaGetLastError();
}

template <class T, bool kBackward>
cudaError_t with_vectors(const Problem& p, cudaStream_t stream) {
  return group_norm_vectors(p, kVector<T>) ? launch<T, kVector<T>, kBackward>(p, stream)
                                           : launch<T, 1, kBackward>(p, stream);
}

template <bool kBackward>
int with_dtype(const Problem& p, void* stream) {
  return by_dtype(p.dtype, [&](auto element) {
    return with_vectors<typename decltype(element)::type, kBackward>(p, static_cast<cudaStream_t>(stream));
  });
}

}  // namespace
}  // namespace gen::ops::fused

extern "C" __attribute__((visibility("default"))) int gen_cuda_group_norm_forward(
    const gen::ops::fused::GroupNormProblem* problem, void* stream) {
  return gen::ops::fused::with_dtype<false>(*problem, stream);
}
extern "C" __attribute__((visibility("default"))) int gen_cuda_group_norm_backward(
    const gen::ops::fused::GroupNormProblem* problem, void* stream) {
  return gen::ops::fused::with_dtype<true>(*problem, stream);
}
