// Kernels in which a warp takes a row: memory-bound, a few operations an element.
#include "flash/launch.cuh"

namespace gen::flash {
namespace {

struct RowTile {
  static constexpr int kThreads = kRowThreads;
  static constexpr uint32_t kSharedBytes = 0;
};

template <typename T>
__global__ void __launch_bounds__(kRowThreads) flash_combine(const __grid_constant__ ForwardArguments a) {
  DeviceMachine machine(nullptr);
  combine_parts<T>(machine, a);
}
template <typename T>
__global__ void __launch_bounds__(kRowThreads) flash_delta(const __grid_constant__ GradArguments a) {
  DeviceMachine machine(nullptr);
  delta_rows<T>(machine, a);
}
template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    flash_finish_query_grads(const __grid_constant__ GradArguments a) {
  DeviceMachine machine(nullptr);
  finish_query_grads<T>(machine, a);
}

}  // namespace

int launch_combine(const ForwardArguments& a, int64_t blocks, cudaStream_t stream) {
  return by_element(a.problem.dtype, [&](auto element) {
    return launch<RowTile>(flash_combine<typename decltype(element)::type>, a, blocks, stream);
  });
}
int launch_delta(const GradArguments& a, int64_t blocks, cudaStream_t stream) {
  return ops::fused::by_dtype(a.problem.dtype, [&](auto element) {
    return launch<RowTile>(flash_delta<typename decltype(element)::type>, a, blocks, stream);
  });
}
int launch_finish_query_grads(const GradArguments& a, int64_t blocks, cudaStream_t stream) {
  return by_element(a.problem.dtype, [&](auto element) {
    return launch<RowTile>(flash_finish_query_grads<typename decltype(element)::type>, a, blocks, stream);
  });
}

}  // namespace gen::flash
