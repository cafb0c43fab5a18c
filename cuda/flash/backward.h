// What the two backward kernels for sm_80 share (Dao 2023, algorithm 2): with P = exp(S - lse), dP = dO V^T and
// dS = P (dP - delta), delta_i = dO_i . O_i, dV = P^T dO, dK = scale dS^T Q and dQ = scale dS K. One kernel goes by blocks of
// keys, the other by blocks of queries, so that nothing is added by two blocks: 7 products where one pass would do with
// 5, and the same bits every time.
#pragma once

#include "flash/scores.h"
#include "flash/tile.h"
#include "flash/tiles.h"

namespace gen::flash {

struct GradArguments {
  Problem problem;
  BackwardArguments backward;
  Order order;
  float* query_grads = nullptr;  // [rows as lse, D] float32, zero: dQ / scale is added to it by atomics
  bool aligned_q = true, aligned_k = true, aligned_v = true, aligned_grad = true, aligned_out = true;
};

/// The log-sum-exp as a power of two to subtract: a row that sees nothing has probabilities 0.
GEN_HOST_DEVICE float power_of_lse(float lse) { return lse == negative_infinity() ? INFINITY : lse * kLog2E; }

struct ScoreGrad {
  float probability, grad;  // dropped and scaled P; d loss / d score
};
/// From one element of q k^T and of dO V^T.
template <typename Rule>
GEN_HOST_DEVICE ScoreGrad score_grad(const Rule& rule, float product, float grad_probability, int i, int j,
                                     bool seen, float lse2, float delta) {
  const float score = seen ? rule.score(product, i, j) : negative_infinity();
  const float p = exp2_approximate(score * rule.factor() - lse2);
  const float keep = rule.keep(i, j);
  return {p * keep, p * (grad_probability * keep - delta)};
}

/// The queries [first, last] that see a key.
GEN_HOST_DEVICE Visible seeing(const NarrowBand& band, int key, int lq) {
  if (key >= band.lk) return {1, 0};
  const int first = key - band.high, last = key - band.low;
  return {first < 0 ? 0 : first, last < lq - 1 ? last : lq - 1};
}

/// Whether each of `queries` rows sees each of `keys` columns.
GEN_HOST_DEVICE bool covers(const NarrowBand& band, int lq, int first_query, int queries, int first_key,
                            int keys) {
  return first_query + queries <= lq && first_key + keys <= band.lk &&
         first_key >= first_query + queries - 1 + band.low && first_key + keys - 1 <= first_query + band.high;
}

template <typename T>
GEN_HOST_DEVICE Rows<T> grad_rows(const GradArguments& a, const Head& head) {
  return query_rows<T>(a.problem, head, a.backward.grad_out, a.backward.grad_out_strides, a.aligned_grad);
}

template <int RowTiles, int Count>
GEN_DEVICE void scale_all(float (&c)[RowTiles][Count], float scale) {
#pragma unroll
  for (int t = 0; t < RowTiles; ++t)
#pragma unroll
    for (int r = 0; r < Count; ++r) c[t][r] *= scale;
}

}  // namespace gen::flash
