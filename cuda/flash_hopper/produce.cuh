// The loading warp: one thread copies Q, K and V by TMA as the stages become free.
#pragma once

#include "flash_hopper/arguments.cuh"

namespace gen::flash_hopper {

/// The loads of one query tile, as flash_hopper/order.h asks for them.
template <typename Tile>
struct Loader {
  const Arguments& args;
  uint32_t shared;
  Work work;

  GEN_DEVICE void wait(uint32_t barrier, uint32_t parity) { ptx::barrier_wait(barrier, parity); }
  GEN_DEVICE void load_query(uint32_t barrier) {
    copy<Tile::kRows>(Tile::query(), args.query, barrier, work.row_tile, work.head);
  }
  GEN_DEVICE void load_key(uint32_t barrier, int stage, int tile) {
    copy<Tile::kKeys>(Tile::key(stage), args.key, barrier, tile, work.head / args.group);
  }
  GEN_DEVICE void load_value(uint32_t barrier, int stage, int tile) {
    copy<Tile::kKeys>(Tile::value(stage), args.value, barrier, tile, work.head / args.group);
  }

 private:
  template <int Rows>
  GEN_DEVICE void copy(uint32_t offset, const CUtensorMap& map, uint32_t barrier, int tile, int head) {
    ptx::barrier_expect(barrier, Rows * Tile::kDim * 2);
#pragma unroll
    for (int block = 0; block < Tile::kBlocks; ++block)
      ptx::load_box(shared + offset + block * Rows * kSwizzleBytes, &map, barrier, block * kBlockColumns,
                    tile * Rows, head, work.batch);
  }
};

/// One thread's loop over all query tiles of this block.
template <typename Tile, bool Masked>
GEN_DEVICE void produce(const Arguments& args, uint32_t shared, const Barriers<Tile>& barriers) {
  Progress<Tile> progress;
  for (int round = 0;; ++round) {
    const int64_t index = args.schedule.index(blockIdx.x, gridDim.x, round);
    if (index < 0) break;
    const Work work = args.schedule.work(index);
    const KeyTiles tiles = tiles_of<Tile, Masked>(args, work);
    if (tiles.empty()) continue;
    Loader<Tile> loader{args, shared, work};
    load(tiles, barriers, progress, loader);
  }
}

}  // namespace gen::flash_hopper
