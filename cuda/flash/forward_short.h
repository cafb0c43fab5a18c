// The forward kernel for at most 128 keys (a text's 77 tokens): all keys and values stay in shared memory, the block's
// tiles of queries pass by them, loaded one ahead, and the softmax is done at once. Memory-bound: 4 Lq D bytes a head.
#pragma once

#include "flash/forward.h"

namespace gen::flash {

constexpr int kShortKeys = 128, kShortMostDim = 160;

template <int Dim>
struct ShortTile : HeadTile<Dim> {
  static constexpr int kWarps = 4, kThreads = kWarps * kLanes;
  static constexpr int kRows = 16 * kWarps, kKeys = kShortKeys, kStages = 2;
  using Shared = SharedTile<HeadTile<Dim>::kInner>;

  static constexpr uint32_t kKey = 0, kValue = Shared::bytes(kKeys);
  GEN_HOST_DEVICE static constexpr uint32_t query(int stage) {
    return 2 * Shared::bytes(kKeys) + static_cast<uint32_t>(stage) * Shared::bytes(kRows);
  }
  static constexpr uint32_t kSharedBytes = 2 * Shared::bytes(kKeys) + kStages * Shared::bytes(kRows);
  static_assert(kSharedBytes <= kMostSharedBytes, "shared memory of a thread block on sm_80");
};

/// `a.order.tiles` blocks share the query tiles of a head by turns.
template <typename Tile, typename T, typename Machine>
GEN_DEVICE void forward_short(Machine& m, const ForwardArguments& a) {
  using Shared = typename Tile::Shared;
  constexpr int kThreads = Tile::kThreads, kKeys = Tile::kKeys, kRows = Tile::kRows;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const Head head = head_of(p, work.batch, work.head);
  const int tiles = (head.lq + kRows - 1) / kRows;
  if (work.tile >= tiles) return;
  const Plain rule{p, head};
  const Shared key{m.shared() + Tile::kKey}, value{m.shared() + Tile::kValue};
  const auto query = [&](int stage) { return Shared{m.shared() + Tile::query(stage)}; };
  const auto load = [&](int tile, int stage) {
    load_rows<kRows, kThreads, Plain>(m, m.thread(), query(stage),
                                      query_rows<T>(p, head, p.q, p.q_strides, true), tile * kRows);
  };
  const int warp_row = m.thread() / kLanes * 16, lane = m.thread() % kLanes;
  float* const lse = a.result.lse == nullptr ? nullptr : a.result.lse + head.lse_offset(a.result);
  const Target<T> target{static_cast<T*>(a.result.out) + head.query_offset(a.result.out_strides),
                         a.result.out_strides.row, head.lq, static_cast<int>(p.dim), true};

  load_rows<kKeys, kThreads, Plain>(m, m.thread(), key, key_rows<T>(p, head, p.k, p.k_strides, true), 0);
  load_rows<kKeys, kThreads, Plain>(m, m.thread(), value, key_rows<T>(p, head, p.v, p.v_strides, true), 0);
  load(work.tile, 0);
  m.commit();
  int stage = 0;
  for (int tile = work.tile; tile < tiles; tile += a.order.tiles, stage ^= 1) {
    if (tile + a.order.tiles < tiles) load(tile + a.order.tiles, stage ^ 1);
    m.commit();
    m.template wait<1>();
    m.sync();
    const int first = tile * kRows, row = first + warp_row + accumulator_row(lane, 0);
    const int last = first + kRows < head.lq ? first + kRows : head.lq;
    float scores[1][kKeys / 2], out[1][Tile::kOuter / 2], decay[2];
    clear(scores);
    clear(out);
    multiply_transposed<T>(m, m.thread(), scores, query(stage), warp_row, key, head.lk);
    RowState state;
    const bool masked = !all_visible(visible_to_all(head.narrow_band, first, last), 0, kKeys);
    softmax_tile(m, rule, scores[0], row, 0, masked, state, decay);
    multiply_accumulators<T>(m, m.thread(), out, scores, value, 0, head.lk);
    normalise(m, rule, state, row, lse, out[0]);
    store_rows<Plain>(m, out, query(stage), warp_row, target, first, 0);
    m.sync();  // before these queries are overwritten
  }
}

}  // namespace gen::flash
