// The backward kernels of one head dimension.
#pragma once

#include "flash/key_grads.h"
#include "flash/launch.cuh"

namespace gen::flash {

template <typename Tile, typename T, typename Rule>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    flash_key_grads(const __grid_constant__ GradArguments arguments) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  key_grads<Tile, T, Rule>(machine, arguments);
}
template <typename Tile, typename T, typename Rule>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    flash_query_grads(const __grid_constant__ GradArguments arguments) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  query_grads<Tile, T, Rule>(machine, arguments);
}

template <int Dim, bool kGeneral>
int launch_key_grads(const GradArguments& a, int64_t blocks, cudaStream_t stream) {
  using Tile = KeyGradTile<Dim, kGeneral>;
  return by_element(a.problem.dtype, [&](auto element) {
    using T = typename decltype(element)::type;
    return launch<Tile>(flash_key_grads<Tile, T, typename RuleOf<kGeneral>::type>, a, blocks, stream);
  });
}
template <int Dim, bool kGeneral>
int launch_query_grads(const GradArguments& a, int64_t blocks, cudaStream_t stream) {
  using Tile = QueryGradTile<Dim, kGeneral>;
  return by_element(a.problem.dtype, [&](auto element) {
    using T = typename decltype(element)::type;
    return launch<Tile>(flash_query_grads<Tile, T, typename RuleOf<kGeneral>::type>, a, blocks, stream);
  });
}

}  // namespace gen::flash
