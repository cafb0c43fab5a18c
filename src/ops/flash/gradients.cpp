#include "ops/flash/gradients.h"

#include <algorithm>

namespace gen::ops::flash::cpu {

Gradients::Gradients(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& k)
    : p(problem),
      a(arguments),
      kernels(k),
      gemm(*k.gemm),
      q(view(p.q, p.q_strides, p.dtype, k)),
      key(view(p.k, p.k_strides, p.dtype, k)),
      value(view(p.v, p.v_strides, p.dtype, k)),
      out(view(a.forward.out, a.forward.out_strides, p.dtype, k)),
      grad_out(view(a.grad_out, a.grad_out_strides, p.dtype, k)),
      grad_q(view(a.grad_q, a.grad_q_strides, p.dtype, k)),
      grad_k(view(a.grad_k, a.grad_k_strides, p.dtype, k)),
      grad_v(view(a.grad_v, a.grad_v_strides, p.dtype, k)),
      ld((p.dim + gemm.lanes - 1) / gemm.lanes * gemm.lanes),
      group(p.heads / p.kv_heads),
      scores_(p, k) {}

Gradients::Tiles::Tiles(const Gradients& g)
    : scores(kSize),
      grads(kSize),
      factors(g.scores_.has_dropout() ? kSize : 0),
      slope(g.scores_.has_softcap() ? kSize : 0),
      lse(kBlockColumns),
      delta(kBlockColumns) {}

void Gradients::fill(const Sequence& s, int64_t head, const Tile& tile, Wanted wanted, const Tiles& t) const {
  const auto& attention = *kernels.attention;
  const int64_t rows = tile.rows(), columns = tile.columns();
  float *scores = t.scores.data(), *grads = t.grads.data();
  float scale = p.scale;
  if (!scores_.plain(s, tile)) {
    scores_.modify(s, head, tile, scores, t.slope.data());
    scale = 1;
  }
  // A row that saw nothing has lse = -infinity, and no weights.
  const int64_t first = statistic(s, head, tile.queries.begin), count = tile.transposed ? columns : rows;
  std::copy_n(a.delta + first, count, t.delta.data());
  for (int64_t i = 0; i < count; ++i) {
    const float lse = a.forward.lse[first + i];
    t.lse.data()[i] = lse == -kInfinity ? kInfinity : lse;
  }
  if (scores_.has_dropout()) {
    scores_.dropout_factors(s, head, tile, t.factors.data());
    attention.multiply(grads, t.factors.data(), kBlockColumns, rows, columns);
  }
  attention.gradient(scores, grads, kBlockColumns, rows, columns, scale, t.lse.data(), t.delta.data(),
                     tile.transposed);
  if (wanted == Wanted::bias) return;
  if (scores_.has_softcap()) attention.multiply(grads, t.slope.data(), kBlockColumns, rows, columns);
  if (scores_.has_dropout()) attention.multiply(scores, t.factors.data(), kBlockColumns, rows, columns);
}

void Gradients::compute_delta(const Sequence& s, int64_t head, Range rows, float* room) const {
  const auto o = rows_of(out, s, s.first_q, head, rows, p.dim, room);
  const auto g = rows_of(grad_out, s, s.first_q, head, rows, p.dim, room + kBlockRows * p.dim);
  kernels.attention->dot_rows(o.data, o.row_stride, g.data, g.row_stride, rows.end - rows.begin, p.dim,
                              a.delta + statistic(s, head, rows.begin));
}

}  // namespace gen::ops::flash::cpu
