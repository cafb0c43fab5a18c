// The forward kernel for sm_80 (Dao 2023, "FlashAttention-2", algorithm 1): a block of queries outside, its tiles of keys
// inside, from the last to the first. K and V are copied by turns while the other is multiplied. 4 Lq Lk D flops a head
// (half if causal) on 2 (Lq + 2 Lk) D bytes read and 2 Lq D written.
#pragma once

#include "flash/scores.h"
#include "flash/tile.h"
#include "flash/tiles.h"

namespace gen::flash {

/// Results over one part of the keys each, to be combined by their log-sum-exp: float32 [splits, rows as lse, D] and
/// [splits, rows as lse].
struct Parts {
  int splits = 1;
  int64_t rows = 0;
  float *out = nullptr, *lse = nullptr;
};

struct ForwardArguments {
  Problem problem;
  ForwardResult result;
  Order order;
  Parts parts;  // more than one: few queries, so that the keys are split to fill the GPU
  bool aligned_q = true, aligned_k = true, aligned_v = true, aligned_out = true;
};

/// The softmax of one tile of scores, in place; `decay` is what earlier outputs are multiplied by.
template <typename Rule, int Count, typename Machine>
GEN_DEVICE void softmax_tile(Machine& m, const Rule& rule, float (&scores)[Count], int row, int first,
                             bool masked, RowState& state, float (&decay)[2]) {
  const int lane = m.thread() % kLanes;
  if constexpr (Rule::kGeneral) {
#pragma unroll
    for (int r = 0; r < Count; ++r)
      scores[r] = rule.score(scores[r], row + 8 * accumulator_half(r), first + accumulator_column(lane, r));
  }
  if (masked) {
    const Visible rows[2] = {visible(rule.head.narrow_band, row), visible(rule.head.narrow_band, row + 8)};
    mask_scores(scores, lane, first, rows);
  }
  float maximum[2];
  row_maximum(scores, state, maximum);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    maximum[half] = fmaxf(maximum[half], m.shuffle_xor(maximum[half], 1));
    maximum[half] = fmaxf(maximum[half], m.shuffle_xor(maximum[half], 2));
  }
  exponentiate(scores, maximum, rule.factor(), state, decay);
  if constexpr (Rule::kGeneral) {
    if (rule.problem.dropout.active()) {
#pragma unroll
      for (int r = 0; r < Count; ++r)
        scores[r] *= rule.keep(row + 8 * accumulator_half(r), first + accumulator_column(lane, r));
    }
  }
}

/// Divides by the rows' sums, and writes the log-sum-exp where it is wanted.
template <typename Rule, int Count, typename Machine>
GEN_DEVICE void normalise(Machine& m, const Rule& rule, const RowState& state, int row, float* lse,
                          float (&out)[Count]) {
  float factor[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = state.sum[half];
    sum += m.shuffle_xor(sum, 1);
    sum += m.shuffle_xor(sum, 2);
    factor[half] = normaliser(sum);
    if (lse != nullptr && m.thread() % 4 == 0 && row + 8 * half < rule.head.lq)
      lse[row + 8 * half] = log_sum_exp(state.maximum[half], sum, rule.unit());
  }
#pragma unroll
  for (int r = 0; r < Count; ++r) out[r] *= factor[accumulator_half(r)];
}

/// Which part of the key tiles a block takes.
GEN_HOST_DEVICE KeyTiles part_of(const KeyTiles& all, int split, int splits) {
  const int each = (all.end - all.begin + splits - 1) / splits, begin = all.begin + split * each;
  return {begin < all.end ? begin : all.end, begin + each < all.end ? begin + each : all.end};
}

template <int Count, typename Machine>
GEN_DEVICE void store_part(Machine& m, const float (&out)[Count], int row, const Head& head, float* to,
                           int dim) {
  const int lane = m.thread() % kLanes;
#pragma unroll
  for (int r = 0; r < Count; ++r) {
    const int i = row + 8 * accumulator_half(r), d = accumulator_column(lane, r);
    if (i < head.lq && d < dim) to[int64_t{i} * dim + d] = out[r];
  }
}

template <typename Tile, typename T, typename Rule, typename Machine>
GEN_DEVICE void forward(Machine& m, const ForwardArguments& a) {
  using Shared = typename Tile::Shared;
  constexpr int kRowTiles = Tile::kRowTiles, kKeys = Tile::kKeys, kColumns = Tile::kOuter;
  const Problem& p = a.problem;
  const int split = Rule::kGeneral ? static_cast<int>(m.block() % a.parts.splits) : 0;
  const Order::Work work = a.order(Rule::kGeneral ? m.block() / a.parts.splits : m.block());
  const Head head = head_of(p, work.batch, work.head);
  const int first = work.tile * Tile::kRows;
  if (first >= head.lq) return;  // of a packed batch
  const int last = first + Tile::kRows < head.lq ? first + Tile::kRows : head.lq;
  const Rule rule{p, head};
  KeyTiles tiles = key_tiles(head.band, {first, last}, head.lk, kKeys);
  if (Rule::kGeneral) tiles = part_of(tiles, split, a.parts.splits);
  const Visible to_all = visible_to_all(head.narrow_band, first, last);
  const Shared query{m.shared() + Tile::kQuery}, key{m.shared() + Tile::kKey},
      value{m.shared() + Tile::kValue};
  const auto k = key_rows<T>(p, head, p.k, p.k_strides, a.aligned_k);
  const auto v = key_rows<T>(p, head, p.v, p.v_strides, a.aligned_v);
  const auto load = [&](const Shared& tile, const Rows<T>& from, int index) {
    load_rows<kKeys, Tile::kThreads, Rule>(m, m.thread(), tile, from, index * kKeys);
    m.commit();
  };
  const int warp_row = m.thread() / kLanes * 16 * kRowTiles, lane = m.thread() % kLanes;
  const int row = first + warp_row + accumulator_row(lane, 0);

  RowState state[kRowTiles];
  float out[kRowTiles][kColumns / 2];
  clear(out);
  load_rows<Tile::kRows, Tile::kThreads, Rule>(m, m.thread(), query,
                                               query_rows<T>(p, head, p.q, p.q_strides, a.aligned_q), first);
  if (!tiles.empty()) load(key, k, tiles.end - 1);
  for (int tile = tiles.end - 1; tile >= tiles.begin; --tile) {
    m.template wait<0>();
    m.sync();  // the keys are here, and nobody reads the last values any more
    load(value, v, tile);
    float scores[kRowTiles][kKeys / 2];
    clear(scores);
    multiply_transposed<T>(m, m.thread(), scores, query, warp_row, key);
    m.template wait<0>();
    m.sync();  // the values are here, and nobody reads these keys any more
    if (tile > tiles.begin) load(key, k, tile - 1);
    const bool masked = !all_visible(to_all, tile * kKeys, kKeys);
#pragma unroll
    for (int t = 0; t < kRowTiles; ++t) {
      float decay[2];
      softmax_tile(m, rule, scores[t], row + 16 * t, tile * kKeys, masked, state[t], decay);
#pragma unroll
      for (int r = 0; r < kColumns / 2; ++r) out[t][r] *= decay[accumulator_half(r)];
    }
    multiply_accumulators<T>(m, m.thread(), out, scores, value, 0);
  }
  m.template wait<0>();
  m.sync();  // where there was no tile: the queries' copies have ended
  if constexpr (Rule::kGeneral) {
    if (a.parts.splits > 1) {
      const int64_t at = split * a.parts.rows + head.lse_offset(a.result);
#pragma unroll
      for (int t = 0; t < kRowTiles; ++t) {
        normalise(m, rule, state[t], row + 16 * t, a.parts.lse + at, out[t]);
        store_part(m, out[t], row + 16 * t, head, a.parts.out + at * p.dim, static_cast<int>(p.dim));
      }
      return;
    }
  }
  float* const lse = a.result.lse == nullptr ? nullptr : a.result.lse + head.lse_offset(a.result);
#pragma unroll
  for (int t = 0; t < kRowTiles; ++t) normalise(m, rule, state[t], row + 16 * t, lse, out[t]);
  const Target<T> target{static_cast<T*>(a.result.out) + head.query_offset(a.result.out_strides),
                         a.result.out_strides.row, head.lq, static_cast<int>(p.dim), a.aligned_out};
  store_rows<Rule>(m, out, query, warp_row, target, first, 0);
}

constexpr int kRowThreads = 128;  // of kernels in which a warp takes a row

/// The row that a warp takes, of order.tiles blocks for each head; false where there is none.
template <typename Machine>
GEN_DEVICE bool take_row(Machine& m, const Problem& p, const Order& order, Head& head, int& row) {
  const Order::Work work = order(m.block());
  head = head_of(p, work.batch, work.head);
  row = work.tile * (kRowThreads / kLanes) + m.thread() / kLanes;
  return row < head.lq;
}

/// lse = logsumexp of the parts' and out = sum of exp(lse_part - lse) out_part.
template <typename T, typename Machine>
GEN_DEVICE void combine_parts(Machine& m, const ForwardArguments& a) {
  Head head;
  int row;
  if (!take_row(m, a.problem, a.order, head, row)) return;
  const int64_t at = head.lse_offset(a.result) + row, dim = a.problem.dim;
  const float* const lse = a.parts.lse + at;
  float maximum = negative_infinity(), sum = 0;
  for (int s = 0; s < a.parts.splits; ++s) maximum = fmaxf(maximum, lse[s * a.parts.rows]);
  const float shift = maximum == negative_infinity() ? 0.0F : maximum;
  for (int s = 0; s < a.parts.splits; ++s) sum += expf(lse[s * a.parts.rows] - shift);
  T* const to = static_cast<T*>(a.result.out) + head.query_offset(a.result.out_strides) +
                row * a.result.out_strides.row;
  for (int64_t d = m.thread() % kLanes; d < dim; d += kLanes) {
    float x = 0;
    for (int s = 0; s < a.parts.splits; ++s)
      x += expf(lse[s * a.parts.rows] - shift) * a.parts.out[(s * a.parts.rows + at) * dim + d];
    to[d] = ops::fused::from_float<T>(x * normaliser(sum));
  }
  if (a.result.lse != nullptr && m.thread() % kLanes == 0) a.result.lse[at] = log_sum_exp(shift, sum, 1);
}

}  // namespace gen::flash
