// The threads that run a fused kernel's body together. A body is a template over its team: cuda/ runs it with a block of
// a GPU, the tests with an emulated one of the same shape (tests/support/emulated_team.h), so indices, tails and
// reductions are tested where there is no GPU.
#pragma once

#include <cstdint>

#include "gen/ops/flash/host_device.h"

namespace gen::ops::fused {

inline constexpr int kWarp = 32;

#if defined(__CUDACC__)
/// A block of the running kernel.
class DeviceTeam {
 public:
  GEN_HOST_DEVICE int thread() const { return index().thread; }
  GEN_HOST_DEVICE int threads() const { return index().threads; }
  GEN_HOST_DEVICE int64_t block() const { return index().block; }
  GEN_HOST_DEVICE int64_t block_y() const { return index().block_y; }
  GEN_HOST_DEVICE void sync() const {
#if defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  /// The value of the lane whose number differs from mine in the bits of `mask`.
  template <class T>
  GEN_HOST_DEVICE T shuffle_xor(T value, int mask) const {
#if defined(__CUDA_ARCH__)
    return __shfl_xor_sync(0xffffffffU, value, mask);
#else
    return static_cast<T>(mask) * value;
#endif
  }

 private:
  struct Index {
    int thread, threads;
    int64_t block, block_y;
  };
  GEN_HOST_DEVICE static Index index() {
#if defined(__CUDA_ARCH__)
    return {static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), static_cast<int64_t>(blockIdx.x),
            static_cast<int64_t>(blockIdx.y)};
#else
    return {0, 1, 0, 0};  // bodies run on the device only; the host's compiler wants a value
#endif
  }
};
#endif

/// The sum over a warp, the same bits in every lane.
template <class Team, class T>
GEN_HOST_DEVICE T warp_sum(const Team& team, T value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += team.shuffle_xor(value, mask);
  return value;
}

/// One value a warp of a block of at most 1024 threads.
struct BlockSumShared {
  float warp[kWarp];
};
/// The sum over a block of whole warps, the same bits in every thread. `shared` can be used again at once.
template <class Team>
GEN_HOST_DEVICE float block_sum(const Team& team, float value, BlockSumShared& shared) {
  value = warp_sum(team, value);
  const int warps = team.threads() / kWarp;
  if (warps == 1) return value;
  if (team.thread() % kWarp == 0) shared.warp[team.thread() / kWarp] = value;
  team.sync();
  float sum = 0;
  for (int i = 0; i < warps; ++i) sum += shared.warp[i];
  team.sync();
  return sum;
}

}  // namespace gen::ops::fused
