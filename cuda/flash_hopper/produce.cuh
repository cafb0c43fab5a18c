// The loading warp: one thread copies Q, K and V by TMA as the stages become free.
#pragma once

#include "flash_hopper/arguments.cuh"

namespace gen::flash_hopper {

template <typename Tile, int Rows>
__device__ __forceinline__ void load_tile(uint32_t destination, const CUtensorMap& map, uint32_t barrier,
                                          int row, int head, int batch) {
  ptx::barrier_expect(barrier, Rows * Tile::kDim * 2);
#pragma unroll
  for (int block = 0; block < Tile::kBlocks; ++block)
    ptx::load_box(destination + block * Rows * kSwizzleBytes, &map, barrier, block * kBlockColumns, row, head,
                  batch);
}

/// One thread's loop over all tiles of this block: K runs one tile ahead of V, as the consumers use them.
template <typename Tile, bool Masked>
__device__ __forceinline__ void produce(const Arguments& args, uint32_t shared,
                                        const Barriers<Tile>& barriers) {
  Ring<1> query;
  Ring<Tile::kStages> key, value;
  for (int round = 0;; ++round) {
    const int64_t index = args.schedule.index(blockIdx.x, gridDim.x, round);
    if (index < 0) break;
    const Work work = args.schedule.work(index);
    const KeyTiles tiles = tiles_of<Tile, Masked>(args, work);
    if (tiles.empty()) continue;
    const int kv_head = work.head / args.group;
    const auto load_key = [&](int tile) {
      ptx::barrier_wait(barriers.key_empty(key.stage), key.phase ^ 1U);
      load_tile<Tile, Tile::kKeys>(shared + Tile::key(key.stage), args.key, barriers.key_full(key.stage),
                                   tile * Tile::kKeys, kv_head, work.batch);
      key.advance();
    };
    const auto load_value = [&](int tile) {
      ptx::barrier_wait(barriers.value_empty(value.stage), value.phase ^ 1U);
      load_tile<Tile, Tile::kKeys>(shared + Tile::value(value.stage), args.value,
                                   barriers.value_full(value.stage), tile * Tile::kKeys, kv_head, work.batch);
      value.advance();
    };
    ptx::barrier_wait(barriers.query_empty(), query.phase ^ 1U);
    load_tile<Tile, Tile::kRows>(shared + Tile::query(), args.query, barriers.query_full(),
                                 work.row_tile * Tile::kRows, work.head, work.batch);
    query.advance();
    load_key(tiles.end - 1);
    for (int tile = tiles.end - 2; tile >= tiles.begin; --tile) {
      load_key(tile);
      load_value(tile + 1);
    }
    load_value(tiles.begin);
  }
}

}  // namespace gen::flash_hopper
