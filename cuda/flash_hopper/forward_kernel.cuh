// The forward kernel of attention on sm_90a (Shah et al. 2024, "FlashAttention-3", without ping-pong
// scheduling). One warp loads Q, K and V by TMA through a ring of two stages; each of two or three warpgroups
// keeps 64 rows of queries and multiplies by wgmma, scores and outputs in registers. While the tensor cores
// compute the scores of the next key tile and the outputs of the last one, a warpgroup works on the softmax
// between them. 4 Lq Lk D flops a head (half if causal) on 2 (Lq + 2 Lk) D bytes read and 2 Lq D written. The
// pure parts (layout.h, schedule.h, softmax.h, order.h) are run by the CPU's tests.
#pragma once

#include <cuda_runtime.h>

#include "flash_hopper/consume.cuh"
#include "flash_hopper/produce.cuh"

namespace gen::flash_hopper {

struct BarrierSetup {
  GEN_DEVICE void init(uint32_t barrier, int arrivals) { ptx::barrier_init(barrier, arrivals); }
};

template <typename Tile, typename T, bool Masked>
__global__ void __launch_bounds__(Tile::kThreads, 1) hopper_forward(const __grid_constant__ Arguments args) {
  extern __shared__ __align__(1024) uint8_t shared_memory[];
  const uint32_t shared = ptx::shared_address(shared_memory);
  const Barriers<Tile> barriers{shared + Tile::kBarriers};
  if (threadIdx.x == 0) {
    if (shared % kAtomBytes != 0) __trap();  // the swizzle is a function of the address
    BarrierSetup setup;
    barriers.initialise(setup);
    ptx::barrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    ptx::give_up_registers<Tile::kProducerRegisters>();
    if (threadIdx.x == 0) {
      ptx::prefetch_tensor_map(&args.query);
      ptx::prefetch_tensor_map(&args.key);
      ptx::prefetch_tensor_map(&args.value);
      produce<Tile, Masked>(args, shared, barriers);
    }
  } else {
    ptx::take_registers<Tile::kConsumerRegisters>();
    consume<Tile, T, Masked>(args, shared, barriers);
  }
}

}  // namespace gen::flash_hopper
