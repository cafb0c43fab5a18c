// A computing warpgroup: 64 rows of queries against all their keys.
#pragma once

#include "flash_hopper/store.cuh"

namespace gen::flash_hopper {

/// The steps of flash_hopper/order.h on this thread's registers.
template <typename Tile, typename T>
struct Warpgroup {
  const Arguments& args;
  uint32_t shared;
  uint64_t query;    // descriptor of this warpgroup's rows
  int thread;        // of the warpgroup
  int row;           // the first of this thread's two, eight apart
  Visible unmasked;  // columns that all rows of the warpgroup see
  RowState state;
  Output<Tile> out;
  float scores[Tile::kKeys / 2], factor[2];
  uint32_t p[Tile::kKeys / 16][4];

  GEN_DEVICE void wait(uint32_t barrier, uint32_t parity) { ptx::barrier_wait(barrier, parity); }
  GEN_DEVICE void arrive(uint32_t barrier) {
    if (thread % 32 == 0) ptx::barrier_arrive(barrier);
  }
  GEN_DEVICE void enqueue_scores(int stage) {
    multiply_scores<Tile, T>(scores, query, k_major(shared + Tile::key(stage)));
  }
  template <int Pending>
  GEN_DEVICE void finish_scores() {
    wgmma::wait<Pending>();
    wgmma::pin(scores);
  }
  GEN_DEVICE void enqueue_outputs(int stage) {
    multiply_outputs<Tile, T>(out, p, mn_major(shared + Tile::value(stage), Tile::kKeys));
  }
  GEN_DEVICE void finish_outputs() {
    wgmma::wait<0>();
    pin(out);
  }
  GEN_DEVICE void softmax(int tile, bool may_need_mask) {
    const int first = tile * Tile::kKeys;
    if (may_need_mask && !all_visible(unmasked, first, Tile::kKeys)) {
      const Visible rows[2] = {visible(args.narrow_band, row), visible(args.narrow_band, row + 8)};
      mask_scores(scores, thread, first, rows);
    }
    float maximum[2];
    row_maximum(scores, state, maximum);
    maximum[0] = across_quad_max(maximum[0]);
    maximum[1] = across_quad_max(maximum[1]);
    exponentiate(scores, maximum, args.scale_log2, state, factor);
  }
  GEN_DEVICE void to_operand() { pack_operand<Tile, T>(scores, p); }
  GEN_DEVICE void rescale() { scale_rows(out, factor); }
};

/// The loop over all query tiles of this block.
template <typename Tile, typename T, bool Masked>
GEN_DEVICE void consume(const Arguments& args, uint32_t shared, const Barriers<Tile>& barriers) {
  const int warpgroup = static_cast<int>(threadIdx.x) / 128 - 1, thread = static_cast<int>(threadIdx.x) % 128;
  const uint64_t query = k_major(shared + Tile::query() + warpgroup * kWarpgroupRows * kSwizzleBytes);
  Progress<Tile> progress;
  for (int round = 0;; ++round) {
    const int64_t index = args.schedule.index(blockIdx.x, gridDim.x, round);
    if (index < 0) break;
    const Work work = args.schedule.work(index);
    const KeyTiles tiles = tiles_of<Tile, Masked>(args, work);
    const int first_row = work.row_tile * Tile::kRows + warpgroup * kWarpgroupRows;
    const Visible unmasked =
        visible_to_all(args.narrow_band, first_row, min(first_row + kWarpgroupRows, args.lq));
    Warpgroup<Tile, T> machine{args,     shared, query, thread, first_row + accumulator_row(thread, 0),
                               unmasked, {}};
    clear(machine.out);
    if (!tiles.empty()) attend<Masked>(tiles, barriers, progress, machine);
    store<Tile, T>(args, work, first_row, thread, machine.state, machine.out);
  }
}

}  // namespace gen::flash_hopper
