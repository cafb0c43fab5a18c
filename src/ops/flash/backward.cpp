#include <algorithm>
#include <map>
#include <tuple>

#include "ops/flash/cpu.h"
#include "ops/flash/scores.h"

namespace gen::ops::flash::cpu {
namespace {

/// Dao 2023, algorithm 2, in separate passes so that nothing is added by two threads: with P = exp(S - lse),
/// dP = dO V^T and dS = P (dP - delta), delta_i = dO_i . O_i:  dV = P^T dO, dQ = scale dS K, dK = scale dS^T Q.
class Backward {
 public:
  Backward(const Problem& p, const BackwardArguments& a, const simd::Kernels& kernels)
      : p_(p),
        a_(a),
        gemm_(*kernels.gemm),
        k_(*kernels.attention),
        scores_(p, kernels),
        all_(sequences(p)),
        q_(view(p.q, p.q_strides, p.dtype)),
        key_(view(p.k, p.k_strides, p.dtype)),
        value_(view(p.v, p.v_strides, p.dtype)),
        grad_(view(a.grad_out, a.grad_out_strides, p.dtype)),
        ld_((p.dim + gemm_.grain - 1) / gemm_.grain * gemm_.grain) {}

  void run() const {
    compute_delta();
    keys_pass();
    const PackedHeads k_transposed(key_, all_, true, p_.kv_heads, p_.dim, true, gemm_);
    const PackedHeads v_transposed(value_, all_, true, p_.kv_heads, p_.dim, true, gemm_);
    queries_pass(k_transposed, v_transposed);
    if (a_.grad_bias != nullptr) bias_pass(k_transposed, v_transposed);
  }

 private:
  struct Workspace {
    explicit Workspace(const Backward& b)
        : scores(kTile),
          grads(kTile),
          factors(b.scores_.has_dropout() ? kTile : 0),
          slope(b.scores_.has_softcap() ? kTile : 0),
          first(kBlockRows * b.p_.dim),
          second(kBlockRows * b.p_.dim),
          sum(kBlockRows * b.ld_),
          other_sum(kBlockRows * b.ld_),
          lse(kBlockColumns) {}
    static constexpr int64_t kTile = kBlockRows * kBlockColumns;
    Buffer scores, grads, factors, slope, first, second, sum, other_sum, lse;
  };

  int64_t statistic(const Sequence& s, int64_t head, int64_t query) const {
    return s.batch * a_.forward.lse_batch_stride + head * a_.forward.lse_head_stride + s.first_q + query;
  }

  void compute_delta() const {
    const View out = view(a_.forward.out, a_.forward.out_strides, p_.dtype);
    each_block(
        blocks(all_, false, p_.heads), [&] { return Workspace(*this); },
        [&](const Block& block, Workspace& w) {
          const auto& s = all_[block.sequence];
          const simd::LeftMatrix o =
              rows_of(out, s, s.first_q, block.head, block.rows, p_.dim, w.first.data());
          const simd::LeftMatrix g =
              rows_of(grad_, s, s.first_q, block.head, block.rows, p_.dim, w.second.data());
          for (int64_t i = 0; i < block.rows.end - block.rows.begin; ++i) {
            float sum = 0;
            for (int64_t d = 0; d < p_.dim; ++d)
              sum += o.data[i * o.row_stride + d] * g.data[i * g.row_stride + d];
            a_.delta[statistic(s, block.head, block.rows.begin + i)] = sum;
          }
        });
  }

  enum class Wanted { queries, keys, bias };

  /// From raw products q k^T in w.scores and dO v^T in w.grads: P and dS in their places:
  /// P after dropout for keys (dV needs it), dS before the soft cap for the bias, which comes after it.
  void gradients(const Sequence& s, int64_t head, const Tile& tile, Wanted wanted, Workspace& w) const {
    const int64_t rows = tile.rows(), columns = tile.columns();
    float* scores = w.scores.data();
    float scale = p_.scale;
    if (!scores_.plain(s, tile)) {
      scores_.modify(s, head, tile, scores, w.slope.data());
      scale = 1;
    }
    // A row that saw nothing has lse = -infinity, and no weights.
    const int64_t count = tile.transposed ? columns : rows;
    const float* lse = a_.forward.lse + statistic(s, head, tile.queries.begin);
    for (int64_t i = 0; i < count; ++i) w.lse.data()[i] = lse[i] == -kInfinity ? kInfinity : lse[i];
    k_.probabilities(scores, kBlockColumns, rows, columns, scale, {w.lse.data(), tile.transposed});
    if (scores_.has_dropout()) {
      scores_.dropout_factors(s, head, tile, w.factors.data());
      k_.multiply(w.grads.data(), w.factors.data(), kBlockColumns, rows, columns);
    }
    const float* delta = a_.delta + statistic(s, head, tile.queries.begin);
    k_.score_gradient(scores, w.grads.data(), kBlockColumns, rows, columns, {delta, tile.transposed});
    if (scores_.has_softcap() && wanted != Wanted::bias)
      k_.multiply(w.grads.data(), w.slope.data(), kBlockColumns, rows, columns);
    if (scores_.has_dropout() && wanted == Wanted::keys)
      k_.multiply(scores, w.factors.data(), kBlockColumns, rows, columns);
  }

  /// Calls use(tile) for every tile of a block of queries, with dS of it in w.grads.
  template <class Use>
  void each_tile(const Block& block, const PackedHeads& k_transposed, const PackedHeads& v_transposed,
                 Wanted wanted, Workspace& w, const Use& use) const {
    const auto& s = all_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin, kv_head = block.head / (p_.heads / p_.kv_heads);
    const auto q = rows_of(q_, s, s.first_q, block.head, block.rows, p_.dim, w.first.data());
    const auto g = rows_of(grad_, s, s.first_q, block.head, block.rows, p_.dim, w.second.data());
    const Range seen = s.band.columns(block.rows, s.lk);
    for (int64_t j = seen.begin / gemm_.panel * gemm_.panel; j < seen.end; j += kBlockColumns) {
      const Tile tile{.queries = block.rows, .keys = {j, std::min(j + kBlockColumns, seen.end)}};
      const int64_t n = whole_panels(gemm_, tile.columns());
      gemm_.multiply(q, k_transposed(block.sequence, kv_head), 0, p_.dim, j, n, w.scores.data(),
                     kBlockColumns, rows, false);
      gemm_.multiply(g, v_transposed(block.sequence, kv_head), 0, p_.dim, j, n, w.grads.data(), kBlockColumns,
                     rows, false);
      gradients(s, block.head, tile, wanted, w);
      use(tile);
    }
  }

  /// dQ, a block of queries at a time.
  void queries_pass(const PackedHeads& k_transposed, const PackedHeads& v_transposed) const {
    const PackedHeads k_packed(key_, all_, true, p_.kv_heads, p_.dim, false, gemm_);
    const View grad_q = view(a_.grad_q, a_.grad_q_strides, p_.dtype);
    each_block(
        blocks(all_, false, p_.heads), [&] { return Workspace(*this); },
        [&](const Block& block, Workspace& w) {
          const int64_t rows = block.rows.end - block.rows.begin,
                        kv_head = block.head / (p_.heads / p_.kv_heads);
          std::fill_n(w.sum.data(), rows * ld_, 0.0F);
          each_tile(block, k_transposed, v_transposed, Wanted::queries, w, [&](const Tile& tile) {
            gemm_.multiply({w.grads.data(), kBlockColumns}, k_packed(block.sequence, kv_head),
                           tile.keys.begin, tile.columns(), 0, ld_, w.sum.data(), ld_, rows, true);
          });
          const auto& s = all_[block.sequence];
          store_rows(grad_q, s, s.first_q, block.head, block.rows, p_.dim, w.sum.data(), ld_, p_.scale);
        });
  }

  /// dBias, which is dS summed over what the bias is broadcast along. A task is a part of the bias that no other task adds
  /// to: one of its heads, and of its rows a block, or its one row.
  void bias_pass(const PackedHeads& k_transposed, const PackedHeads& v_transposed) const {
    const int64_t* size = a_.grad_bias_sizes;
    std::fill_n(a_.grad_bias, size[0] * size[1] * size[2] * size[3], 0.0F);
    const auto parts = bias_parts();
    std::vector<Block> numbers(parts.size());
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i].sequence = i;
    each_block(
        numbers, [&] { return Workspace(*this); },
        [&](const Block& number, Workspace& w) {
          for (const Block& block : parts[number.sequence])
            each_tile(block, k_transposed, v_transposed, Wanted::bias, w,
                      [&](const Tile& tile) { add_to_bias(block, tile, w.grads.data()); });
        });
  }

  /// All blocks of queries, those that add to the same part of the bias together and in order.
  std::vector<std::vector<Block>> bias_parts() const {
    const int64_t* size = a_.grad_bias_sizes;
    std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<Block>> parts;
    for (const Block& block : blocks(all_, false, p_.heads))
      parts[{size[0] == 1 ? 0 : all_[block.sequence].batch, size[1] == 1 ? 0 : block.head,
             size[2] == 1 ? 0 : block.rows.begin}]
          .push_back(block);
    std::vector<std::vector<Block>> list;
    for (auto& [part, members] : parts) list.push_back(std::move(members));
    return list;
  }

  void add_to_bias(const Block& block, const Tile& tile, const float* ds) const {
    const int64_t* size = a_.grad_bias_sizes;
    const int64_t batch = size[0] == 1 ? 0 : all_[block.sequence].batch, head = size[1] == 1 ? 0 : block.head;
    for (int64_t r = 0; r < tile.rows(); ++r) {
      const int64_t row = size[2] == 1 ? 0 : tile.queries.begin + r;
      float* to = a_.grad_bias + ((batch * size[1] + head) * size[2] + row) * size[3];
      for (int64_t c = 0; c < tile.columns(); ++c)
        to[size[3] == 1 ? 0 : tile.keys.begin + c] += ds[r * kBlockColumns + c];
    }
  }

  /// dK and dV, a block of keys at a time, over the heads that share it: tiles are transposed.
  void keys_pass() const {
    const PackedHeads q_transposed(q_, all_, false, p_.heads, p_.dim, true, gemm_);
    const PackedHeads g_transposed(grad_, all_, false, p_.heads, p_.dim, true, gemm_);
    const PackedHeads q_packed(q_, all_, false, p_.heads, p_.dim, false, gemm_);
    const PackedHeads g_packed(grad_, all_, false, p_.heads, p_.dim, false, gemm_);
    const View grad_k = view(a_.grad_k, a_.grad_k_strides, p_.dtype);
    const View grad_v = view(a_.grad_v, a_.grad_v_strides, p_.dtype);
    const int64_t group = p_.heads / p_.kv_heads;
    each_block(
        blocks(all_, true, p_.kv_heads), [&] { return Workspace(*this); },
        [&](const Block& block, Workspace& w) {
          const auto& s = all_[block.sequence];
          const int64_t rows = block.rows.end - block.rows.begin;
          const simd::LeftMatrix k =
              rows_of(key_, s, s.first_k, block.head, block.rows, p_.dim, w.first.data());
          const simd::LeftMatrix v =
              rows_of(value_, s, s.first_k, block.head, block.rows, p_.dim, w.second.data());
          std::fill_n(w.sum.data(), rows * ld_, 0.0F);
          std::fill_n(w.other_sum.data(), rows * ld_, 0.0F);
          const Range seeing = s.band.rows(block.rows, s.lq);
          for (int64_t head = block.head * group; head < (block.head + 1) * group; ++head)
            for (int64_t i = seeing.begin / gemm_.panel * gemm_.panel; i < seeing.end; i += kBlockColumns) {
              const Tile tile{.queries = {i, std::min(i + kBlockColumns, seeing.end)},
                              .keys = block.rows,
                              .transposed = true};
              const int64_t n = tile.columns();
              gemm_.multiply(k, q_transposed(block.sequence, head), 0, p_.dim, i, whole_panels(gemm_, n),
                             w.scores.data(), kBlockColumns, rows, false);
              gemm_.multiply(v, g_transposed(block.sequence, head), 0, p_.dim, i, whole_panels(gemm_, n),
                             w.grads.data(), kBlockColumns, rows, false);
              gradients(s, head, tile, Wanted::keys, w);
              gemm_.multiply({w.scores.data(), kBlockColumns}, g_packed(block.sequence, head), i, n, 0, ld_,
                             w.other_sum.data(), ld_, rows, true);
              gemm_.multiply({w.grads.data(), kBlockColumns}, q_packed(block.sequence, head), i, n, 0, ld_,
                             w.sum.data(), ld_, rows, true);
            }
          store_rows(grad_k, s, s.first_k, block.head, block.rows, p_.dim, w.sum.data(), ld_, p_.scale);
          store_rows(grad_v, s, s.first_k, block.head, block.rows, p_.dim, w.other_sum.data(), ld_, 1);
        });
  }

  const Problem& p_;
  const BackwardArguments& a_;
  const simd::GemmKernels& gemm_;
  const simd::AttentionKernels& k_;
  Scores scores_;
  std::vector<Sequence> all_;
  View q_, key_, value_, grad_;
  int64_t ld_;
};

}  // namespace

void backward(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& kernels) {
  Backward(problem, arguments, kernels).run();
}

}  // namespace gen::ops::flash::cpu
