// Who does what in which order: query tiles over a persistent grid, key tiles within one, stages of the load
// pipeline. Pure functions, run by the CPU's tests.
#pragma once

#include "flash/visible.h"
#include "gen/ops/flash/problem.h"

namespace gen::flash_hopper {

using namespace flash;

/// One query tile of one head.
struct Work {
  int row_tile, head, batch;
};

/// All query tiles in the order in which they are begun. Heads are taken in sections whose keys and values fit in
/// the L2 cache together; heads are fastest within a section. Where the mask makes tiles unequal (the last rows of a
/// causal problem are the longest) the last section begins with the longest, the one before it ends with them, and so
/// on, so that lengths change slowly; blocks take tiles by turns that reverse in every round, so that none gets the
/// longest of each. Without a counter shared by the blocks, the order is a function of the problem alone.
struct Schedule {
  int row_tiles = 0, heads = 0, batches = 0;
  int section = 1;  // consecutive (batch, head) pairs worked on together
  bool last_rows_first = false;

  GEN_HOST_DEVICE int64_t size() const { return int64_t{row_tiles} * heads * batches; }

  /// The tile that block `block` of `blocks` takes in its round `round`; -1 where there is none left for it.
  GEN_HOST_DEVICE int64_t index(int block, int blocks, int round) const {
    const int turn = (round & 1) != 0 ? blocks - 1 - block : block;
    const int64_t index = int64_t{round} * blocks + turn;
    return index < size() ? index : -1;
  }

  GEN_HOST_DEVICE Work work(int64_t index) const {
    const int64_t pairs = int64_t{heads} * batches;
    const int64_t number = index / (int64_t{section} * row_tiles), sections = (pairs + section - 1) / section;
    const int64_t first = number * section;
    const int64_t width =
        pairs - first < section ? pairs - first : section;  // the last section may be narrower
    const int64_t within = index - first * row_tiles;
    const int64_t pair = first + within % width;
    const int row_tile = static_cast<int>(within / width);
    const bool reversed = last_rows_first && (sections - 1 - number) % 2 == 0;
    return {reversed ? row_tiles - 1 - row_tile : row_tile, static_cast<int>(pair % heads),
            static_cast<int>(pair / heads)};
  }
};

/// How many consecutive (batch, head) pairs to work on together: as many key heads as fit in `cache_bytes`,
/// each with the `group` query heads that read it.
GEN_HOST_DEVICE int section_size(int64_t bytes_per_key_head, int64_t cache_bytes, int group, int64_t pairs) {
  const int64_t fit = cache_bytes / bytes_per_key_head;
  const int64_t section = (fit > 1 ? fit : 1) * group;
  return static_cast<int>(section < pairs ? section : pairs);
}

/// Whether the band hides anything, that is, whether some tile needs more than the tail's mask.
GEN_HOST_DEVICE bool hides_keys(const ops::flash::Problem& problem) {
  return !problem.band(problem.lq, problem.lk).covers({0, problem.lq}, {0, problem.lk});
}

GEN_HOST_DEVICE Schedule make_schedule(const ops::flash::Problem& problem, int rows_per_tile) {
  constexpr int64_t kCacheBytes = int64_t{32} << 20;  // of the 50 MB of L2 of an H100
  const int group = static_cast<int>(problem.heads / problem.kv_heads);
  const int64_t pairs = problem.batch * problem.heads;
  return {static_cast<int>((problem.lq + rows_per_tile - 1) / rows_per_tile), static_cast<int>(problem.heads),
          static_cast<int>(problem.batch),
          section_size(4 * problem.lk * problem.dim, kCacheBytes, group, pairs),
          hides_keys(problem) && problem.right < Band::kUnlimited};
}

/// Position in a ring of stages: a full barrier is waited for with `phase`, an empty one with `phase ^ 1`
/// (which holds at once on a fresh barrier).
template <int Stages>
struct Ring {
  int stage = 0;
  uint32_t phase = 0;
  GEN_HOST_DEVICE void advance() {
    if (++stage == Stages) {
      stage = 0;
      phase ^= 1U;
    }
  }
};

}  // namespace gen::flash_hopper
