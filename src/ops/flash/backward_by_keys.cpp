#include <algorithm>

#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {
namespace {

/// The blocks of one head are a few tasks that each sum a dQ of their own, so nothing is added by two threads.
class ByKeys {
 public:
  ByKeys(const Gradients& g, const std::vector<Sequence>& all)
      : g_(g),
        products_(g.p, g.kernels),
        all_(all),
        query_blocks_(blocks(all, false, g.p.heads)),
        chunks_(num_chunks()) {
    for (const auto& s : all_) {
      first_sum_.push_back(rows_);
      rows_ += s.lq * g_.p.heads;
    }
    sums_ = Buffer(chunks_ * rows_ * g_.ld);
  }

  void run() const {
    each_block(
        query_blocks_, [&] { return Buffer(2 * kBlockRows * g_.p.dim); },
        [&](const Block& b, const Buffer& room) {
          g_.compute_delta(all_[b.sequence], b.head, b.rows, room.data());
        });
    const auto pack = [&](const View& x, bool transposed) {
      return PackedHeads(x, all_, false, g_.p.heads, g_.p.dim, transposed, products_);
    };
    const Queries queries{pack(g_.q, true), pack(g_.grad_out, true), pack(g_.q, false),
                          pack(g_.grad_out, false)};
    std::vector<Task> tasks;
    for (size_t i = 0; i < all_.size(); ++i)
      for (int64_t h = 0; h < g_.p.kv_heads; ++h)
        for (int64_t c = 0; c < chunks_; ++c) tasks.push_back({i, h, c});
    each_block(
        tasks, [&] { return Workspace(g_); },
        [&](const Task& task, Workspace& w) { one_task(task, queries, w); });
    each_block(
        query_blocks_, [&] { return Buffer(kBlockRows * g_.ld); },
        [&](const Block& block, const Buffer& sum) { store_grad_q(block, sum.data()); });
  }

 private:
  /// A head's blocks of keys number chunk, chunk + chunks, ...
  struct Task {
    size_t sequence = 0;
    int64_t kv_head = 0, chunk = 0;
  };
  /// Right operands that every block of keys uses.
  struct Queries {
    PackedHeads q_transposed, g_transposed, q, g;
  };
  struct Workspace {
    explicit Workspace(const Gradients& g)
        : tiles(g),
          rounded(kBlockRows * kBlockColumns / 2),
          k(kBlockRows * g.p.dim),
          v(kBlockRows * g.p.dim),
          k_packed(kBlockRows * g.ld),
          grad_k(kBlockRows * g.ld),
          grad_v(kBlockRows * g.ld) {}
    Gradients::Tiles tiles;
    Buffer rounded, k, v, k_packed, grad_k, grad_v;
  };

  /// Chunks of a head: enough tasks for a few threads where there are few heads. By the shapes alone, so that sums do not
  /// depend on the number of threads.
  int64_t num_chunks() const {
    constexpr int64_t kTasks = 8;
    const auto heads = static_cast<int64_t>(all_.size()) * g_.p.kv_heads;
    int64_t longest = 1;
    for (const auto& s : all_) longest = std::max(longest, s.lk);
    const int64_t blocks_of_keys = (longest + kBlockRows - 1) / kBlockRows;
    return std::clamp<int64_t>(kTasks / std::max<int64_t>(1, heads), 1, blocks_of_keys);
  }

  /// dQ / scale of a head, as one of its tasks sums it: [lq, ld].
  float* sum_of(size_t sequence, int64_t head, int64_t chunk) const {
    return sums_.data() + (chunk * rows_ + first_sum_[sequence] + head * all_[sequence].lq) * g_.ld;
  }

  void one_task(const Task& task, const Queries& queries, const Workspace& w) const {
    const auto& s = all_[task.sequence];
    for (int64_t h = task.kv_head * g_.group; h < (task.kv_head + 1) * g_.group; ++h)
      std::fill_n(sum_of(task.sequence, h, task.chunk), s.lq * g_.ld, 0.0F);
    for (int64_t j = task.chunk * kBlockRows; j < s.lk; j += chunks_ * kBlockRows)
      one_block({task.sequence, task.kv_head, {j, std::min(j + kBlockRows, s.lk)}}, task.chunk, queries, w);
  }

  void store_grad_q(const Block& block, float* sum) const {
    const auto& s = all_[block.sequence];
    const int64_t first = block.rows.begin * g_.ld, count = (block.rows.end - block.rows.begin) * g_.ld;
    std::copy_n(sum_of(block.sequence, block.head, 0) + first, count, sum);
    for (int64_t c = 1; c < chunks_; ++c) {
      const float* more = sum_of(block.sequence, block.head, c) + first;
      for (int64_t i = 0; i < count; ++i) sum[i] += more[i];
    }
    store_rows(g_.grad_q, s, s.first_q, block.head, block.rows, g_.p.dim, sum, g_.ld, g_.p.scale);
  }

  /// dK and dV of a block of keys, over the heads that share it; adds to their dQ.
  void one_block(const Block& block, int64_t chunk, const Queries& queries, const Workspace& w) const {
    const auto& s = all_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin;
    const auto k = products_.key_rows(g_.key, s, block.head, block.rows, g_.p.dim, w.k.data());
    const auto v = products_.key_rows(g_.value, s, block.head, block.rows, g_.p.dim, w.v.data());
    products_.pack_rows(k, rows, g_.p.dim, w.k_packed.data());
    auto k_packed = products_.packed(rows, g_.p.dim);
    k_packed.data = w.k_packed.data();
    std::fill_n(w.grad_k.data(), rows * g_.ld, 0.0F);
    std::fill_n(w.grad_v.data(), rows * g_.ld, 0.0F);
    const Range seeing = s.num_visible(block.rows) == 0 ? Range{} : s.band.rows(block.rows, s.lq);
    float *scores = w.tiles.scores.data(), *grads = w.tiles.grads.data();
    for (int64_t head = block.head * g_.group; head < (block.head + 1) * g_.group; ++head)
      for (int64_t i = seeing.begin / g_.gemm.panel * g_.gemm.panel; i < seeing.end; i += kBlockColumns) {
        const Tile tile{
            .queries = {i, std::min(i + kBlockColumns, seeing.end)}, .keys = block.rows, .transposed = true};
        const int64_t n = tile.columns(), room = whole_panels(g_.gemm, n);
        const auto of = [&](const PackedHeads& x) { return x(block.sequence, head); };
        products_.multiply(k, of(queries.q_transposed), 0, g_.p.dim, i, room, scores, kBlockColumns, rows,
                           false);
        products_.multiply(v, of(queries.g_transposed), 0, g_.p.dim, i, room, grads, kBlockColumns, rows,
                           false);
        g_.fill(s, head, tile, Gradients::Wanted::inputs, w.tiles);
        products_.multiply(products_.tile(scores, rows, n, w.rounded.data()), of(queries.g), i, n, 0, g_.ld,
                           w.grad_v.data(), g_.ld, rows, true);
        products_.multiply(products_.tile(grads, rows, n, w.rounded.data()), of(queries.q), i, n, 0, g_.ld,
                           w.grad_k.data(), g_.ld, rows, true);
        products_.multiply(products_.transposed_tile(grads, rows, n, w.rounded.data()), k_packed, 0, rows, 0,
                           g_.ld, sum_of(block.sequence, head, chunk) + i * g_.ld, g_.ld, n, true);
      }
    store_rows(g_.grad_k, s, s.first_k, block.head, block.rows, g_.p.dim, w.grad_k.data(), g_.ld, g_.p.scale);
    store_rows(g_.grad_v, s, s.first_k, block.head, block.rows, g_.p.dim, w.grad_v.data(), g_.ld, 1);
  }

  const Gradients& g_;
  Products products_;
  const std::vector<Sequence>& all_;
  std::vector<Block> query_blocks_;
  int64_t chunks_;
  std::vector<int64_t> first_sum_;  ///< of each sequence, in rows
  int64_t rows_ = 0;
  Buffer sums_;
};

}  // namespace

void backward_by_keys(const Gradients& gradients, const std::vector<Sequence>& sequences) {
  ByKeys(gradients, sequences).run();
}

}  // namespace gen::ops::flash::cpu
