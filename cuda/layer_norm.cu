// LayerNorm and RMSNorm of x + residual: forward reads both and writes the sum and y (4 words an element, 2 without a
// residual), backward reads s and dy twice and dsum once and writes dx (6 words); about 8 and 20 flops an element, so
// memory bound. CPU twin: src/ops/layer_norm_cpu.cpp. Bodies: include/gen/ops/fused/row_norm.h.
#include <cuda_runtime.h>

#include "by_dtype.cuh"
#include "gen/ops/fused/row_norm.h"

namespace gen::ops::fused {
namespace {

using Problem = RowNormProblem;

template <class T, int V, bool kBackward>
__global__ void __launch_bounds__(512) rows(const __grid_constant__ Problem p) {
  __shared__ BlockSumShared shared;
  if constexpr (kBackward)
    row_norm_backward<T, V>(DeviceTeam(), p, shared);
  else
    row_norm_forward<T, V>(DeviceTeam(), p, shared);
}
template <class T>
__global__ void __launch_bounds__(kColumnThreads) columns(const __grid_constant__ Problem p) {
  __shared__ ColumnShared shared;
  row_norm_columns<T>(DeviceTeam(), p, shared);
}
__global__ void __launch_bounds__(kColumnThreads) parameters(const __grid_constant__ Problem p) {
  row_norm_parameters(DeviceTeam(), p);
}

template <class T, int V, bool kBackward>
cudaError_t launch(const Problem& p, cudaStream_t stream) {
  if (p.rows > 0x7fffffff || p.slices > 65535) return cudaErrorInvalidValue;
  rows<T, V, kBackward><<<static_cast<unsigned>(p.rows), row_norm_threads(p.width, V), 0, stream>>>(p);
  if constexpr (kBackward) {
    const auto tiles = static_cast<unsigned>((p.width + kWarp - 1) / kWarp);
    columns<T><<<dim3(tiles, static_cast<unsigned>(p.slices)), kColumnThreads, 0, stream>>>(p);
    const auto blocks = static_cast<unsigned>((p.width + kColumnThreads - 1) / kColumnThreads);
    parameters<<<blocks, kColumnThreads, 0, stream>>>(p);
  }
  return cudaGetLastError();
}

template <class T, bool kBackward>
cudaError_t with_vectors(const Problem& p, cudaStream_t stream) {
  return row_norm_vectors(p, kVector<T>) ? launch<T, kVector<T>, kBackward>(p, stream)
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

extern "C" __attribute__((visibility("default"))) int gen_cuda_row_norm_forward(
    const gen::ops::fused::RowNormProblem* problem, void* stream) {
  return gen::ops::fused::with_dtype<false>(*problem, stream);
}
extern "C" __attribute__((visibility("default"))) int gen_cuda_row_norm_backward(
    const gen::ops::fused::RowNormProblem* problem, void* stream) {
  return gen::ops::fused::with_dtype<true>(*problem, stream);
}
