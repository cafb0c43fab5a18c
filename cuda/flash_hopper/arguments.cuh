// What the forward kernel is given, and what all its warps share.
#pragma once

#include "flash_hopper/order.h"
#include "flash_hopper/ptx.cuh"

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

/// The rows and key tiles of one query tile, the same for every warp.
template <typename Tile, bool Masked>
GEN_DEVICE KeyTiles tiles_of(const Arguments& args, const Work& work) {
  if (!Masked) return {0, (args.lk + Tile::kKeys - 1) / Tile::kKeys};
  const int64_t begin = int64_t{work.row_tile} * Tile::kRows;
  const int64_t end = begin + Tile::kRows < args.lq ? begin + Tile::kRows : args.lq;
  return key_tiles(args.band, {begin, end}, args.lk, Tile::kKeys);
}

}  // namespace gen::flash_hopper
