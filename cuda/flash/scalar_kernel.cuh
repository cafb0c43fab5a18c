// The float32 kernels of one head dimension, and the gradient of a bias.
#pragma once

#include "flash/launch.cuh"

namespace gen::flash {

template <int Dim>
__global__ void __launch_bounds__(ScalarTile<Dim>::kThreads, 1)
    flash_scalar_forward(const __grid_constant__ ForwardArguments a) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  scalar_forward<Dim, float>(machine, a);
}
template <int Dim>
__global__ void __launch_bounds__(ScalarTile<Dim>::kThreads, 1)
    flash_scalar_key_grads(const __grid_constant__ GradArguments a) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  scalar_key_grads<Dim, float>(machine, a);
}
template <int Dim>
__global__ void __launch_bounds__(ScalarTile<Dim>::kThreads, 1)
    flash_scalar_query_grads(const __grid_constant__ GradArguments a) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  scalar_query_grads<Dim, float>(machine, a);
}
template <int Dim, typename T>
__global__ void __launch_bounds__(ScalarTile<Dim>::kThreads, 1)
    flash_bias_grads(const __grid_constant__ BiasGradArguments a) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  bias_grads<Dim, T>(machine, a);
}

template <int Dim>
int launch_scalar_forward(const ForwardArguments& a, int64_t blocks, cudaStream_t stream) {
  return launch<ScalarTile<Dim>>(flash_scalar_forward<Dim>, a, blocks, stream);
}
template <int Dim>
int launch_scalar_grads(const GradArguments& arguments, int64_t key_blocks, const Order& keys,
                        int64_t query_blocks, const Order& queries, cudaStream_t stream) {
  GradArguments a = arguments;
  a.order = keys;
  if (const int error = launch<ScalarTile<Dim>>(flash_scalar_key_grads<Dim>, a, key_blocks, stream);
      error != 0)
    return error;
  a.order = queries;
  return launch<ScalarTile<Dim>>(flash_scalar_query_grads<Dim>, a, query_blocks, stream);
}
template <int Dim>
int launch_bias_grads(const BiasGradArguments& a, int64_t blocks, cudaStream_t stream) {
  return ops::fused::by_dtype(a.grads.problem.dtype, [&](auto element) {
    return launch<ScalarTile<Dim>>(flash_bias_grads<Dim, typename decltype(element)::type>, a, blocks,
                                   stream);
  });
}

}  // namespace gen::flash
