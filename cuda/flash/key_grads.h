// dK and dV by blocks of keys: each meets all query heads of its group and all queries that see it. Scores are kept
// transposed, so P^T and dS^T go from accumulators to operands in registers.
#pragma once

#include "flash/backward.h"

namespace gen::flash {

/// dQ += dS K of one tile by atomics (not deterministic): dS^T through shared memory, its rows and columns dealt out over the
/// warps.
template <typename Tile, typename T, typename Machine>
GEN_DEVICE void add_query_grads(Machine& m, const float (&grads)[1][Tile::kQueries / 2], int warp_row,
                                int split, const typename Tile::Shared& key, float* to, int queries,
                                int dim) {
  const typename Tile::Scores scores{m.shared() + Tile::kGradScores};
  const int thread = m.fresh_thread(), lane = thread % kLanes, warp = thread / kLanes;
  if (split == 0) {
#pragma unroll
    for (int r = 0; r < Tile::kQueries / 2; r += 2)
      m.store(scores.pair(warp_row + accumulator_row(lane, r), accumulator_column(lane, r)),
              pack<T>(grads[0][r], grads[0][r + 1]));
  }
  m.sync();
  constexpr int kRowTiles = Tile::kQueries / 16,
                kGroups = Tile::kWarps / kRowTiles;  // of warps, each with some columns
  const int row = warp % kRowTiles * 16;
  const Named at_a = name_a_transposed(lane), at_b = name_b(lane);
  for (int column = warp / kRowTiles * 16; column < Tile::kInner; column += kGroups * 16) {
    float c[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll
    for (int step = 0; step < Tile::kKeys / 16; ++step) {
      uint32_t x[4], y[4];
      m.load_transposed(scores.chunk(16 * step + at_a.row, row / kChunk + at_a.chunk), x);
      m.load_transposed(key.chunk(16 * step + at_b.row, column / kChunk + at_b.chunk), y);
      m.template multiply<T>(c, x, y[0], y[1]);
      m.template multiply<T>(c + 4, x, y[2], y[3]);
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const int i = row + accumulator_row(lane, r), d = column + accumulator_column(lane, r);
      if (i < queries && d < dim) m.atomic_add(to + int64_t{i} * dim + d, c[r]);
    }
  }
}

template <typename Tile, typename T, typename Rule, typename Machine>
GEN_DEVICE void key_grads(Machine& m, const GradArguments& a) {
  using Shared = typename Tile::Shared;
  constexpr int kQueries = Tile::kQueries, kKeys = Tile::kKeys, kThreads = Tile::kThreads;
  const Problem& p = a.problem;
  const Order::Work work = a.order(m.block());
  const int group = static_cast<int>(p.heads / p.kv_heads);
  Head head = head_of(p, work.batch, work.head * group);
  const int first = work.tile * kKeys;
  if (first >= head.lk) return;
  const int last = first + kKeys < head.lk ? first + kKeys : head.lk;
  const Range rows = head.band.rows({first, last}, head.lq);
  const int begin = static_cast<int>(rows.begin / kQueries);
  const int tiles = static_cast<int>((rows.end + kQueries - 1) / kQueries) - begin;

  const Shared key{m.shared() + Tile::kKey}, value{m.shared() + Tile::kValue};
  const auto load = [&](int index) {  // the queries of one head of the group
    const int stage = index % Tile::kStages, query_first = (begin + index % tiles) * kQueries;
    const Head of = head_of(p, work.batch, work.head * group + index / tiles);
    load_rows<kQueries, kThreads, Rule>(m, m.fresh_thread(), Shared{m.shared() + Tile::query(stage)},
                                        query_rows<T>(p, of, p.q, p.q_strides, a.aligned_q), query_first);
    load_rows<kQueries, kThreads, Rule>(m, m.fresh_thread(), Shared{m.shared() + Tile::grad_out(stage)},
                                        grad_rows<T>(a, of), query_first);
    if (m.thread() < 2 * kQueries) {
      const int i = query_first + m.thread() % kQueries;
      const float* const from = m.thread() < kQueries ? a.backward.forward.lse : a.backward.delta;
      m.copy_float(m.shared() + Tile::rows(stage) + static_cast<uint32_t>(4 * m.thread()),
                   from + of.lse_offset(a.backward.forward) + (i < of.lq ? i : 0), i < of.lq);
    }
  };
  const int warp = m.thread() / kLanes, lane = m.thread() % kLanes;
  const int warp_row = warp % 4 * 16, split = warp / 4, column = Tile::column(split);
  const int j = first + warp_row + accumulator_row(lane, 0);
  const Visible seeing_j[2] = {seeing(head.narrow_band, j, head.lq),
                               seeing(head.narrow_band, j + 8, head.lq)};

  float grad_k[1][Tile::kColumns / 2], grad_v[1][Tile::kColumns / 2];
  clear(grad_k);
  clear(grad_v);
  load_rows<kKeys, kThreads, Rule>(m, m.fresh_thread(), key,
                                   key_rows<T>(p, head, p.k, p.k_strides, a.aligned_k), first);
  load_rows<kKeys, kThreads, Rule>(m, m.fresh_thread(), value,
                                   key_rows<T>(p, head, p.v, p.v_strides, a.aligned_v), first);
  const int count = tiles * group;
  if (count > 0) load(0);
  m.commit();
  for (int index = 0; index < count; ++index) {
    if (index + 1 < count) load(index + 1);
    m.commit();
    m.template wait<1>();
    m.sync();
    const int stage = index % Tile::kStages, query_first = (begin + index % tiles) * kQueries;
    head.head = work.head * group + index / tiles;
    const Rule rule{p, head};
    const Shared query{m.shared() + Tile::query(stage)}, grad_out{m.shared() + Tile::grad_out(stage)};
    float scores[1][kQueries / 2], grads[1][kQueries / 2];
    clear(scores);
    clear(grads);
    multiply_transposed<T>(m, m.fresh_thread(), scores, key, warp_row, query);
    multiply_transposed<T>(m, m.fresh_thread(), grads, value, warp_row, grad_out);
    const bool masked = !covers(head.narrow_band, head.lq, query_first, kQueries, first, kKeys);
#pragma unroll
    for (int r = 0; r < kQueries / 2; ++r) {
      const int half = accumulator_half(r), from_first = accumulator_column(lane, r),
                i = query_first + from_first;
      const uint32_t at = m.shared() + Tile::rows(stage) + static_cast<uint32_t>(4 * from_first);
      const bool seen = !masked || (i >= seeing_j[half].first && i <= seeing_j[half].last);
      const float slope = rule.slope(scores[0][r]);
      const ScoreGrad g = score_grad(rule, scores[0][r], grads[0][r], i, j + 8 * half, seen,
                                     power_of_lse(m.load_float(at)), m.load_float(at + 4 * kQueries));
      scores[0][r] = g.probability;
      grads[0][r] = g.grad * slope;
    }
    multiply_accumulators<T>(m, m.fresh_thread(), grad_v, scores, grad_out, column);
    multiply_accumulators<T>(m, m.fresh_thread(), grad_k, grads, query, column);
    if (a.query_grads != nullptr)
      add_query_grads<Tile, T>(m, grads, warp_row, split, key,
                               a.query_grads + (head.lse_offset(a.backward.forward) + query_first) * p.dim,
                               head.lq - query_first, static_cast<int>(p.dim));
    m.sync();  // before these queries are overwritten
  }
  m.template wait<0>();
  m.sync();
  scale_all(grad_k, p.scale);
  const auto target = [&](void* data, const Strides& s) {
    return Target<T>{static_cast<T*>(data) + head.key_offset(s), s.row, head.lk, static_cast<int>(p.dim),
                     a.aligned_out};
  };
  store_rows<Rule>(m, grad_k, key, warp_row, target(a.backward.grad_k, a.backward.grad_k_strides), first,
                   column);
  store_rows<Rule>(m, grad_v, value, warp_row, target(a.backward.grad_v, a.backward.grad_v_strides), first,
                   column);
}

}  // namespace gen::flash
