// What the forward kernel is given, and what all its warps share.
#pragma once

#include "flash_hopper/ptx.cuh"
#include "flash_hopper/schedule.h"
#include "flash_hopper/tile.h"

namespace gen::flash_hopper {

/// What the kernel is given.
struct Arguments {
  CUtensorMap query, key, value;
  Schedule schedule;
  Band band;
  NarrowBand narrow_band;
  int lq, lk, group;  // query heads per key head
  float scale, scale_log2;
  void* out;
  ops::flash::Strides out_strides;
  float* lse;
  int64_t lse_batch_stride, lse_head_stride;
};

/// The barriers behind the tiles in shared memory. Full: one arrival and the bytes of the copies. Empty: one
/// arrival from each warp that reads.
template <typename Tile>
struct Barriers {
  uint32_t base;  // shared address
  __device__ uint32_t at(int index) const { return base + 8 * index; }
  __device__ uint32_t query_full() const { return at(0); }
  __device__ uint32_t query_empty() const { return at(1); }
  __device__ uint32_t key_full(int stage) const { return at(2 + stage); }
  __device__ uint32_t key_empty(int stage) const { return at(2 + Tile::kStages + stage); }
  __device__ uint32_t value_full(int stage) const { return at(2 + 2 * Tile::kStages + stage); }
  __device__ uint32_t value_empty(int stage) const { return at(2 + 3 * Tile::kStages + stage); }

  __device__ void initialise() const {
    constexpr int kReaders = Tile::kConsumers * 4;
    ptx::barrier_init(query_full(), 1);
    ptx::barrier_init(query_empty(), kReaders);
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      ptx::barrier_init(key_full(stage), 1);
      ptx::barrier_init(key_empty(stage), kReaders);
      ptx::barrier_init(value_full(stage), 1);
      ptx::barrier_init(value_empty(stage), kReaders);
    }
    ptx::barrier_init_fence();
  }
};

/// The rows and key tiles of one query tile, the same for every warp.
template <typename Tile, bool Masked>
__device__ __forceinline__ KeyTiles tiles_of(const Arguments& args, const Work& work) {
  if (!Masked) return {0, (args.lk + Tile::kKeys - 1) / Tile::kKeys};
  const int64_t begin = int64_t{work.row_tile} * Tile::kRows;
  const int64_t end = begin + Tile::kRows < args.lq ? begin + Tile::kRows : args.lq;
  return key_tiles(args.band, {begin, end}, args.lk, Tile::kKeys);
}

}  // namespace gen::flash_hopper
