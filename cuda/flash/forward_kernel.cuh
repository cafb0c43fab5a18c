// The forward kernels of one head dimension.
#pragma once

#include "flash/launch.cuh"

namespace gen::flash {

template <typename Tile, typename T, typename Rule>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    flash_forward(const __grid_constant__ ForwardArguments arguments) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  forward<Tile, T, Rule>(machine, arguments);
}

template <typename Tile, typename T>
__global__ void __launch_bounds__(Tile::kThreads, 1)
    flash_forward_short(const __grid_constant__ ForwardArguments arguments) {
  extern __shared__ __align__(128) uint8_t shared_memory[];
  DeviceMachine machine(shared_memory);
  forward_short<Tile, T>(machine, arguments);
}

template <int Dim>
int launch_forward_short(const ForwardArguments& a, int64_t blocks, cudaStream_t stream) {
  using Tile = ShortTile<Dim>;
  return by_element(a.problem.dtype, [&](auto element) {
    return launch<Tile>(flash_forward_short<Tile, typename decltype(element)::type>, a, blocks, stream);
  });
}

template <int Dim, bool kGeneral>
int launch_forward(const ForwardArguments& a, int64_t blocks, cudaStream_t stream) {
  using Tile = ForwardTile<Dim, kGeneral>;
  return by_element(a.problem.dtype, [&](auto element) {
    using T = typename decltype(element)::type;
    return launch<Tile>(flash_forward<Tile, T, typename RuleOf<kGeneral>::type>, a, blocks, stream);
  });
}

}  // namespace gen::flash
