#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "ops/flash/cpu.h"
#include "ops/flash/scores.h"

namespace gen::ops::flash::cpu {
namespace {

/// Dao 2023, algorithm 2: with P = exp(S - lse), dP = dO V^T and dS = P (dP - delta), delta_i = dO_i . O_i,
/// dV = P^T dO, dK = scale dS^T Q and dQ = scale dS K. Blocks of keys are outside, tiles are transposed. The blocks of one
/// head are a few tasks that each sum a dQ of their own, so nothing is added by two threads.
class Backward {
 public:
  Backward(const Problem& p, const BackwardArguments& a, const simd::Kernels& kernels)
      : p_(p),
        a_(a),
        kernels_(kernels),
        gemm_(*kernels.gemm),
        k_(*kernels.attention),
        scores_(p, kernels),
        all_(sequences(p)),
        q_(view(p.q, p.q_strides, p.dtype, kernels)),
        key_(view(p.k, p.k_strides, p.dtype, kernels)),
        value_(view(p.v, p.v_strides, p.dtype, kernels)),
        grad_(view(a.grad_out, a.grad_out_strides, p.dtype, kernels)),
        ld_((p.dim + gemm_.lanes - 1) / gemm_.lanes * gemm_.lanes),
        group_(p.heads / p.kv_heads) {}

  void run() const {
    compute_delta();
    keys_pass();
    if (a_.grad_bias != nullptr) bias_pass();
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
          packed(kBlockRows * b.ld_),
          lse(kBlockColumns),
          delta(kBlockColumns) {}
    static constexpr int64_t kTile = kBlockRows * kBlockColumns;
    Buffer scores, grads, factors, slope, first, second, sum, other_sum, packed, lse, delta;
  };

  int64_t statistic(const Sequence& s, int64_t head, int64_t query) const {
    return s.batch * a_.forward.lse_batch_stride + head * a_.forward.lse_head_stride + s.first_q + query;
  }

  void compute_delta() const {
    const View out = view(a_.forward.out, a_.forward.out_strides, p_.dtype, kernels_);
    each_block(
        blocks(all_, false, p_.heads),
        [&] { return std::pair(Buffer(kBlockRows * p_.dim), Buffer(kBlockRows * p_.dim)); },
        [&](const Block& block, const std::pair<Buffer, Buffer>& w) {
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

  enum class Wanted { inputs, bias };

  /// From raw products q k^T in w.scores and dO v^T in w.grads: P and dS in their places:
  /// P after dropout (dV needs it), dS for the bias without the soft cap's slope, as it is added after the cap.
  void gradients(const Sequence& s, int64_t head, const Tile& tile, Wanted wanted, Workspace& w) const {
    const int64_t rows = tile.rows(), columns = tile.columns();
    float* scores = w.scores.data();
    float scale = p_.scale;
    if (!scores_.plain(s, tile)) {
      scores_.modify(s, head, tile, scores, w.slope.data());
      scale = 1;
    }
    // A row that saw nothing has lse = -infinity, and no weights.
    const int64_t first = statistic(s, head, tile.queries.begin), count = tile.transposed ? columns : rows;
    std::copy_n(a_.delta + first, count, w.delta.data());
    for (int64_t i = 0; i < count; ++i) {
      const float lse = a_.forward.lse[first + i];
      w.lse.data()[i] = lse == -kInfinity ? kInfinity : lse;
    }
    if (scores_.has_dropout()) {
      scores_.dropout_factors(s, head, tile, w.factors.data());
      k_.multiply(w.grads.data(), w.factors.data(), kBlockColumns, rows, columns);
    }
    k_.gradient(scores, w.grads.data(), kBlockColumns, rows, columns, scale, w.lse.data(), w.delta.data(),
                tile.transposed);
    if (wanted == Wanted::bias) return;
    if (scores_.has_softcap()) k_.multiply(w.grads.data(), w.slope.data(), kBlockColumns, rows, columns);
    if (scores_.has_dropout()) k_.multiply(scores, w.factors.data(), kBlockColumns, rows, columns);
  }

  /// A head's blocks of keys number chunk, chunk + chunks, ...
  struct Task {
    size_t sequence = 0;
    int64_t kv_head = 0, chunk = 0;
  };

  /// Chunks of a head: enough tasks for a few threads where there are few heads. By the shapes alone, so that sums do not
  /// depend on the number of threads.
  int64_t num_chunks() const {
    constexpr int64_t kTasks = 8;
    const auto heads = static_cast<int64_t>(all_.size()) * p_.kv_heads;
    int64_t longest = 1;
    for (const auto& s : all_) longest = std::max(longest, s.lk);
    const int64_t blocks_of_keys = (longest + kBlockRows - 1) / kBlockRows;
    return std::clamp<int64_t>(kTasks / std::max<int64_t>(1, heads), 1, blocks_of_keys);
  }

  /// Right operands that every block of keys uses.
  struct Queries {
    PackedHeads q_transposed, g_transposed, q, g;
  };

  void keys_pass() const {
    const auto pack = [&](const View& x, bool transposed) {
      return PackedHeads(x, all_, false, p_.heads, p_.dim, transposed, gemm_);
    };
    const Queries queries{pack(q_, true), pack(grad_, true), pack(q_, false), pack(grad_, false)};
    const int64_t chunks = num_chunks();
    std::vector<Task> tasks;
    std::vector<int64_t> first_sum;  // of each sequence, in rows
    int64_t rows = 0;
    for (size_t i = 0; i < all_.size(); ++i) {
      first_sum.push_back(rows);
      rows += all_[i].lq * p_.heads;
      for (int64_t h = 0; h < p_.kv_heads; ++h)
        for (int64_t c = 0; c < chunks; ++c) tasks.push_back({i, h, c});
    }
    const Buffer sums(chunks * rows * ld_);  // dQ / scale: [chunk][sequence][head][row]
    const auto sum_of = [&](size_t sequence, int64_t head, int64_t chunk) {
      return sums.data() + (chunk * rows + first_sum[sequence] + head * all_[sequence].lq) * ld_;
    };
    each_block(
        tasks, [&] { return Workspace(*this); },
        [&](const Task& task, Workspace& w) {
          const auto& s = all_[task.sequence];
          for (int64_t h = task.kv_head * group_; h < (task.kv_head + 1) * group_; ++h)
            std::fill_n(sum_of(task.sequence, h, task.chunk), s.lq * ld_, 0.0F);
          for (int64_t j = task.chunk * kBlockRows; j < s.lk; j += chunks * kBlockRows) {
            const Block block{task.sequence, task.kv_head, {j, std::min(j + kBlockRows, s.lk)}};
            one_block(
                block, queries, [&](int64_t head) { return sum_of(task.sequence, head, task.chunk); }, w);
          }
        });
    const View grad_q = view(a_.grad_q, a_.grad_q_strides, p_.dtype, kernels_);
    each_block(
        blocks(all_, false, p_.heads), [&] { return Buffer(kBlockRows * ld_); },
        [&](const Block& block, const Buffer& sum) {
          const auto& s = all_[block.sequence];
          const int64_t first = block.rows.begin * ld_, count = (block.rows.end - block.rows.begin) * ld_;
          std::copy_n(sum_of(block.sequence, block.head, 0) + first, count, sum.data());
          for (int64_t c = 1; c < chunks; ++c) {
            const float* more = sum_of(block.sequence, block.head, c) + first;
            for (int64_t i = 0; i < count; ++i) sum.data()[i] += more[i];
          }
          store_rows(grad_q, s, s.first_q, block.head, block.rows, p_.dim, sum.data(), ld_, p_.scale);
        });
  }

  /// dK and dV of a block of keys, over the heads that share it; adds to their dQ.
  template <class SumOf>
  void one_block(const Block& block, const Queries& queries, const SumOf& sum_of, Workspace& w) const {
    const auto& s = all_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin;
    const auto k = key_rows_of(key_, s, block.head, block.rows, p_.dim, w.first.data());
    const auto v = key_rows_of(value_, s, block.head, block.rows, p_.dim, w.second.data());
    kernels_.operands[0]->pack(k.data, k.row_stride, rows, p_.dim, w.packed.data());
    const simd::PackedMatrix k_packed{w.packed.data(), rows, p_.dim};
    std::fill_n(w.sum.data(), rows * ld_, 0.0F);
    std::fill_n(w.other_sum.data(), rows * ld_, 0.0F);
    const Range seeing = s.band.rows(block.rows, s.lq);
    float *scores = w.scores.data(), *grads = w.grads.data();
    for (int64_t head = block.head * group_; head < (block.head + 1) * group_; ++head)
      for (int64_t i = seeing.begin / gemm_.panel * gemm_.panel; i < seeing.end; i += kBlockColumns) {
        const Tile tile{
            .queries = {i, std::min(i + kBlockColumns, seeing.end)}, .keys = block.rows, .transposed = true};
        const int64_t n = tile.columns(), room = whole_panels(gemm_, n);
        const auto of = [&](const PackedHeads& x) { return x(block.sequence, head); };
        gemm_.multiply(k, of(queries.q_transposed), 0, p_.dim, i, room, scores, kBlockColumns, rows, false);
        gemm_.multiply(v, of(queries.g_transposed), 0, p_.dim, i, room, grads, kBlockColumns, rows, false);
        gradients(s, head, tile, Wanted::inputs, w);
        gemm_.multiply({scores, kBlockColumns}, of(queries.g), i, n, 0, ld_, w.other_sum.data(), ld_, rows,
                       true);
        gemm_.multiply({grads, kBlockColumns}, of(queries.q), i, n, 0, ld_, w.sum.data(), ld_, rows, true);
        gemm_.multiply({grads, 1, kBlockColumns}, k_packed, 0, rows, 0, ld_, sum_of(head) + i * ld_, ld_, n,
                       true);
      }
    const View grad_k = view(a_.grad_k, a_.grad_k_strides, p_.dtype, kernels_);
    const View grad_v = view(a_.grad_v, a_.grad_v_strides, p_.dtype, kernels_);
    store_rows(grad_k, s, s.first_k, block.head, block.rows, p_.dim, w.sum.data(), ld_, p_.scale);
    store_rows(grad_v, s, s.first_k, block.head, block.rows, p_.dim, w.other_sum.data(), ld_, 1);
  }

  /// dBias, which is dS summed over what the bias is broadcast along. A task is a part of the bias that no other task adds
  /// to: one of its heads, and of its rows a block, or its one row.
  void bias_pass() const {
    const PackedHeads k_transposed(key_, all_, true, p_.kv_heads, p_.dim, true, gemm_);
    const PackedHeads v_transposed(value_, all_, true, p_.kv_heads, p_.dim, true, gemm_);
    const int64_t* size = a_.grad_bias_sizes;
    std::fill_n(a_.grad_bias, size[0] * size[1] * size[2] * size[3], 0.0F);
    each_block(
        bias_parts(), [&] { return Workspace(*this); },
        [&](const std::vector<Block>& part, Workspace& w) {
          for (const Block& block : part) add_block_to_bias(block, k_transposed, v_transposed, w);
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

  void add_block_to_bias(const Block& block, const PackedHeads& k_transposed, const PackedHeads& v_transposed,
                         Workspace& w) const {
    const auto& s = all_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin, kv_head = block.head / group_;
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
      gradients(s, block.head, tile, Wanted::bias, w);
      add_to_bias(block, tile, w.grads.data());
    }
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

  const Problem& p_;
  const BackwardArguments& a_;
  const simd::Kernels& kernels_;
  const simd::GemmKernels& gemm_;
  const simd::AttentionKernels& k_;
  Scores scores_;
  std::vector<Sequence> all_;
  View q_, key_, value_, grad_;
  int64_t ld_, group_;
};

}  // namespace

void backward(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& kernels) {
  Backward(problem, arguments, kernels).run();
}

}  // namespace gen::ops::flash::cpu
