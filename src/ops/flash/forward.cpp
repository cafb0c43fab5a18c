#include <algorithm>
#include <cmath>

#include "ops/flash/cpu.h"
#include "ops/flash/decoding.h"
#include "ops/flash/products.h"
#include "ops/flash/scores.h"

namespace gen::ops::flash::cpu {
namespace {

/// Dao 2023, algorithm 1, with a block of queries outside and its blocks of keys inside.
class Forward {
 public:
  Forward(const Problem& p, const std::vector<Sequence>& all, const ForwardResult& result,
          const simd::Kernels& kernels)
      : p_(p),
        result_(result),
        products_(p, kernels),
        gemm_(*kernels.gemm),
        k_(*kernels.attention),
        scores_(p, kernels),
        sequences_(all),
        q_(view(p.q, p.q_strides, p.dtype, kernels)),
        out_(view(result.out, result.out_strides, p.dtype, kernels)),
        k_transposed_(view(p.k, p.k_strides, p.dtype, kernels), sequences_, true, p.kv_heads, p.dim, true,
                      products_),
        v_packed_(view(p.v, p.v_strides, p.dtype, kernels), sequences_, true, p.kv_heads, p.dim, false,
                  products_),
        ld_((p.dim + gemm_.lanes - 1) / gemm_.lanes * gemm_.lanes) {}

  void run() const {
    each_block(
        blocks(sequences_, false, p_.heads), [&] { return Workspace(*this); },
        [&](const Block& block, Workspace& w) { one_block(block, w); });
  }

 private:
  struct Workspace {
    explicit Workspace(const Forward& f)
        : scores(kBlockRows * kBlockColumns),
          factors(f.scores_.has_dropout() ? kBlockRows * kBlockColumns : 0),
          rounded(kBlockRows * kBlockColumns / 2),
          out(kBlockRows * f.ld_),
          q(kBlockRows * f.p_.dim) {}
    Buffer scores, factors, rounded, out, q;
    float max[kBlockRows], sum[kBlockRows], decay[kBlockRows];
  };

  void one_block(const Block& block, Workspace& w) const {
    const auto& s = sequences_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin, kv_head = block.head / (p_.heads / p_.kv_heads);
    const simd::LeftMatrix q = products_.query_rows(q_, s, block.head, block.rows, p_.dim, w.q.data());
    std::fill_n(w.max, rows, -kInfinity);
    std::fill_n(w.sum, rows, 0.0F);
    std::fill_n(w.out.data(), rows * ld_, 0.0F);
    const Range seen = s.band.columns(block.rows, s.lk);
    for (int64_t j = seen.begin / gemm_.panel * gemm_.panel; j < seen.end; j += kBlockColumns) {
      const Tile tile{.queries = block.rows, .keys = {j, std::min(j + kBlockColumns, seen.end)}};
      if (s.num_visible(tile.keys) == 0) continue;
      attend(s, block.head, tile, q, k_transposed_(block.sequence, kv_head),
             v_packed_(block.sequence, kv_head), w);
    }
    finish(s, block, w);
  }

  void attend(const Sequence& s, int64_t head, const Tile& tile, const simd::LeftMatrix& q,
              const simd::PackedMatrix& k_transposed, const simd::PackedMatrix& v, Workspace& w) const {
    const int64_t rows = tile.rows(), columns = tile.columns();
    float* scores = w.scores.data();
    products_.multiply(q, k_transposed, 0, p_.dim, tile.keys.begin, whole_panels(gemm_, columns), scores,
                       kBlockColumns, rows, false);
    float scale = p_.scale;
    if (!scores_.plain(s, tile)) {
      scores_.modify(s, head, tile, scores, nullptr);
      scale = 1;
    }
    k_.softmax(scores, kBlockColumns, rows, columns, scale, w.max, w.sum, w.decay);
    if (scores_.has_dropout()) {
      scores_.dropout_factors(s, head, tile, w.factors.data());
      k_.multiply(scores, w.factors.data(), kBlockColumns, rows, columns);
    }
    k_.scale_rows(w.out.data(), ld_, rows, ld_, w.decay);
    products_.multiply(products_.tile(scores, rows, columns, w.rounded.data()), v, tile.keys.begin, columns,
                       0, ld_, w.out.data(), ld_, rows, true);
  }

  void finish(const Sequence& s, const Block& block, Workspace& w) const {
    const int64_t rows = block.rows.end - block.rows.begin;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = s.first_q + block.rows.begin + i;
      result_.lse[s.batch * result_.lse_batch_stride + block.head * result_.lse_head_stride + row] =
          w.sum[i] == 0 ? -kInfinity : w.max[i] + std::log(w.sum[i]);
      w.decay[i] = w.sum[i] == 0 ? 0 : 1 / w.sum[i];
    }
    k_.scale_rows(w.out.data(), ld_, rows, ld_, w.decay);
    store_rows(out_, s, s.first_q, block.head, block.rows, p_.dim, w.out.data(), ld_, 1);
  }

  const Problem& p_;
  const ForwardResult& result_;
  Products products_;
  const simd::GemmKernels& gemm_;
  const simd::AttentionKernels& k_;
  Scores scores_;
  const std::vector<Sequence>& sequences_;
  View q_, out_;
  PackedHeads k_transposed_, v_packed_;
  int64_t ld_;
};

}  // namespace

void forward(const Problem& problem, const ForwardResult& result, const simd::Kernels& kernels) {
  std::vector<Sequence> few, many;
  for (const auto& s : sequences(problem))
    (reads_in_place(s, problem.heads / problem.kv_heads) ? few : many).push_back(s);
  if (!few.empty()) decode(problem, few, result, kernels);
  if (!many.empty()) Forward(problem, many, result, kernels).run();
}

}  // namespace gen::ops::flash::cpu
