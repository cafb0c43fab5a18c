// dQ by blocks of queries, and what is done row by row before and after: delta, and dQ out of what atomics added.
#pragma once

#include "flash/backward.h"
#include "flash/forward.h"

namespace gen::flash {

template <typename Tile, typename T, typename Rule, typename Machine>
GEN_DEVICE void query_grads(Machine& m, const GradArguments& a) {
  using Shared = typename Tile::Shared;
  constexpr int kKeys = Tile::kKeys, kThreads = Tile::kThreads;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const Head head = head_of(p, work.batch, work.head);
  const int first = work.tile * Tile::kRows;
  if (first >= head.lq) return;
  const int last = first + Tile::kRows < head.lq ? first + Tile::kRows : head.lq;
  const Rule rule{p, head};
  const KeyTiles tiles = key_tiles(head.band, {first, last}, head.lk, kKeys);

  const Shared query{m.shared() + Tile::kQuery}, grad_out{m.shared() + Tile::kGradOut};
  const auto k = key_rows<T>(p, head, p.k, p.k_strides, a.aligned_k);
  const auto v = key_rows<T>(p, head, p.v, p.v_strides, a.aligned_v);
  const auto load = [&](int tile) {
    const int stage = tile % Tile::kStages;
    load_rows<kKeys, kThreads, Rule>(m, m.fresh_thread(), Shared{m.shared() + Tile::key(stage)}, k,
                                     tile * kKeys);
    load_rows<kKeys, kThreads, Rule>(m, m.fresh_thread(), Shared{m.shared() + Tile::value(stage)}, v,
                                     tile * kKeys);
  };
  const int warp_row = m.thread() / kLanes * 16, lane = m.thread() % kLanes;
  const int row = first + warp_row + accumulator_row(lane, 0);
  const Visible seen[2] = {visible(head.narrow_band, row), visible(head.narrow_band, row + 8)};
  float lse2[2], delta[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int i = row + 8 * half;
    const int64_t at = head.lse_offset(a.backward.forward) + i;
    lse2[half] = i < head.lq ? power_of_lse(a.backward.forward.lse[at]) : INFINITY;
    delta[half] = i < head.lq ? a.backward.delta[at] : 0.0F;
  }

  float grad_q[1][Tile::kOuter / 2];
  clear(grad_q);
  load_rows<Tile::kRows, kThreads, Rule>(m, m.fresh_thread(), query,
                                         query_rows<T>(p, head, p.q, p.q_strides, a.aligned_q), first);
  load_rows<Tile::kRows, kThreads, Rule>(m, m.fresh_thread(), grad_out, grad_rows<T>(a, head), first);
  if (!tiles.empty()) load(tiles.begin);
  m.commit();
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if (tile + 1 < tiles.end) load(tile + 1);
    m.commit();
    m.template wait<1>();
    m.sync();
    const int stage = tile % Tile::kStages, key_first = tile * kKeys;
    const Shared key{m.shared() + Tile::key(stage)}, value{m.shared() + Tile::value(stage)};
    float scores[1][kKeys / 2], grads[1][kKeys / 2];
    clear(scores);
    clear(grads);
    multiply_transposed<T>(m, m.fresh_thread(), scores, query, warp_row, key);
    multiply_transposed<T>(m, m.fresh_thread(), grads, grad_out, warp_row, value);
    const bool masked = !covers(head.narrow_band, head.lq, first, last - first, key_first, kKeys);
#pragma unroll
    for (int r = 0; r < kKeys / 2; ++r) {
      const int half = accumulator_half(r), j = key_first + accumulator_column(lane, r);
      const bool sees = !masked || (j >= seen[half].first && j <= seen[half].last);
      const float slope = rule.slope(scores[0][r]);
      scores[0][r] =
          slope *
          score_grad(rule, scores[0][r], grads[0][r], row + 8 * half, j, sees, lse2[half], delta[half]).grad;
    }
    multiply_accumulators<T>(m, m.fresh_thread(), grad_q, scores, key, 0);
    m.sync();  // before these keys are overwritten
  }
  m.template wait<0>();
  m.sync();
  scale_all(grad_q, p.scale);
  const Target<T> target{static_cast<T*>(a.backward.grad_q) + head.query_offset(a.backward.grad_q_strides),
                         a.backward.grad_q_strides.row, head.lq, static_cast<int>(p.dim), a.aligned_out};
  store_rows<Rule>(m, grad_q, query, warp_row, target, first, 0);
}

/// delta_i = dO_i . O_i.
template <typename T, typename Machine>
GEN_DEVICE void delta_rows(Machine& m, const GradArguments& a) {
  Head head;
  int row;
  if (!take_row(m, a.problem, a.order, head, row)) return;
  const auto& b = a.backward;
  const T* const grad = static_cast<const T*>(b.grad_out) + head.query_offset(b.grad_out_strides) +
                        row * b.grad_out_strides.row;
  const T* const out = static_cast<const T*>(b.forward.out) + head.query_offset(b.forward.out_strides) +
                       row * b.forward.out_strides.row;
  float sum = 0;
  for (int d = m.thread() % kLanes; d < a.problem.dim; d += kLanes)
    sum += ops::fused::to_float(grad[d]) * ops::fused::to_float(out[d]);
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) sum += m.shuffle_xor(sum, mask);
  if (m.thread() % kLanes == 0) b.delta[head.lse_offset(b.forward) + row] = sum;
}

/// dQ = scale (what atomics added).
template <typename T, typename Machine>
GEN_DEVICE void finish_query_grads(Machine& m, const GradArguments& a) {
  Head head;
  int row;
  if (!take_row(m, a.problem, a.order, head, row)) return;
  const float* const from = a.query_grads + (head.lse_offset(a.backward.forward) + row) * a.problem.dim;
  T* const to = static_cast<T*>(a.backward.grad_q) + head.query_offset(a.backward.grad_q_strides) +
                row * a.backward.grad_q_strides.row;
  for (int d = m.thread() % kLanes; d < a.problem.dim; d += kLanes)
    to[d] = ops::fused::from_float<T>(from[d] * a.problem.scale);
}

}  // namespace gen::flash
