// Rotary embedding, forward and (by the opposite angle) backward: reads and writes x once, 4 or 8 bytes an element beside
// the table, which all heads share; 3 flops an element, so memory bound. CPU twin: src/ops/rotary.cpp. Body:
// include/gen/ops/fused/rotary.h.
#include <cuda_runtime.h>

#include "by_dtype.cuh"
#include "gen/ops/fused/rotary.h"

namespace gen::ops::fused {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(kRotaryThreads) rotary(const __grid_constant__ RotaryProblem p) {
  rotary_rows<T, V>(DeviceTeam(), p);
}

template <class T, int V>
cudaError_t launch(const RotaryProblem& p, cudaStream_t stream) {
  const int64_t blocks = rotary_blocks<V>(p);
  if (blocks * kRotaryThreads > 0x7fffffff) return cudaErrorInvalidValue;
  if (blocks > 0) rotary<T, V><<<static_cast<unsigned>(blocks), kRotaryThreads, 0, stream>>>(p);
  return cudaGetLastError();
}

template <class T>
int with_vectors(const RotaryProblem& p, void* stream) {
  const auto s = static_cast<cudaStream_t>(stream);
  return rotary_vectors(p, kVector<T>) ? launch<T, kVector<T>>(p, s) : launch<T, 1>(p, s);
}

}  // namespace
}  // namespace gen::ops::fused

extern "C" __attribute__((visibility("default"))) int gen_cuda_rotary(
    const gen::ops::fused::RotaryProblem* problem, void* stream) {
  using namespace gen::ops::fused;
  return by_dtype(problem->dtype, [&](auto element) {
    return with_vectors<typename decltype(element)::type>(*problem, stream);
  });
}
