// A computing warpgroup: 64 rows of queries against all their keys.
#pragma once

#include "flash_hopper/store.cuh"

namespace gen::flash_hopper {

/// Where a warpgroup stands in the rings of stages, over all its tiles.
template <typename Tile>
struct Progress {
  Ring<1> query;
  Ring<Tile::kStages> key, value;
};

/// One arrival for each warp that has read what `barrier` guards.
__device__ __forceinline__ void release(uint32_t barrier) {
  if (threadIdx.x % 32 == 0) ptx::barrier_arrive(barrier);
}

/// out = P V over all key tiles (not yet divided by the sums). The scores of tile j are enqueued together
/// with the outputs of tile j + 1, which was visited before it, and the softmax of tile j runs while the
/// latter are computed.
template <typename Tile, typename T, bool Masked>
__device__ __forceinline__ void attend(uint32_t shared, uint64_t query, const Barriers<Tile>& barriers,
                                       const KeyTiles& tiles, Progress<Tile>& at, Softmax<Tile>& softmax,
                                       Output<Tile>& out) {
  float scores[Tile::kKeys / 2], factor[2];
  uint32_t p[Tile::kKeys / 16][4];
  const auto begin_scores = [&] {
    ptx::barrier_wait(barriers.key_full(at.key.stage), at.key.phase);
    enqueue_scores<Tile, T>(scores, query, k_major(shared + Tile::key(at.key.stage)));
  };
  const auto end_scores = [&] {
    wgmma::pin(scores);
    release(barriers.key_empty(at.key.stage));
    at.key.advance();
  };
  const auto begin_outputs = [&] {
    ptx::barrier_wait(barriers.value_full(at.value.stage), at.value.phase);
    enqueue_outputs<Tile, T>(out, p, mn_major(shared + Tile::value(at.value.stage), Tile::kKeys));
  };
  const auto end_outputs = [&] {
    wgmma::wait<0>();
    pin(out);
    release(barriers.value_empty(at.value.stage));
    at.value.advance();
  };
  ptx::barrier_wait(barriers.query_full(), at.query.phase);
  at.query.advance();
  begin_scores();
  wgmma::wait<0>();
  end_scores();
  softmax(scores, tiles.end - 1, true,
          factor);  // the first tile may end in a tail even where nothing else is masked
  to_operand<Tile, T>(scores, p);
  for (int tile = tiles.end - 2; tile >= tiles.begin; --tile) {
    begin_scores();
    begin_outputs();
    wgmma::wait<1>();
    end_scores();
    softmax(scores, tile, Masked, factor);
    end_outputs();
    rescale(out, factor);
    to_operand<Tile, T>(scores, p);
  }
  release(barriers.query_empty());
  begin_outputs();
  end_outputs();
}

/// The loop over all query tiles of this block.
template <typename Tile, typename T, bool Masked>
__device__ __forceinline__ void consume(const Arguments& args, uint32_t shared,
                                        const Barriers<Tile>& barriers) {
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
    Softmax<Tile> softmax{args, thread, first_row + accumulator_row(thread, 0), unmasked, {}};
    Output<Tile> out;
    clear(out);
    if (!tiles.empty()) attend<Tile, T, Masked>(shared, query, barriers, tiles, progress, softmax, out);
    store<Tile, T>(args, work, first_row, thread, softmax.state, out);
  }
}

}  // namespace gen::flash_hopper
