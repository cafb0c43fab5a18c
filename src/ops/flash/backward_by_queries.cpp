#include <algorithm>

#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {
namespace {

/// The keys, all in one tile, are packed once for a task; its queries, their gradients and what it sums stay in the caches.
/// The queries of a key head are a few tasks by the shapes alone; the last to finish adds their dK and dV in order.
class ByQueries {
 public:
  ByQueries(const Gradients& g, const std::vector<Sequence>& all) : g_(g), all_(all), dim_(g.p.dim) {
    constexpr int64_t kTasks = 32;
    const int64_t heads = static_cast<int64_t>(all_.size()) * g_.p.kv_heads;
    int64_t size = 0;
    for (size_t i = 0; i < all_.size(); ++i)
      for (int64_t h = 0; h < g_.p.kv_heads; ++h) {
        const int64_t blocks = (all_[i].lq + kBlockRows - 1) / kBlockRows;
        const int64_t chunks = std::clamp<int64_t>(kTasks / heads, 1, std::max<int64_t>(1, blocks));
        key_heads_.push_back({i, h, tasks_.size(), chunks});
        for (int64_t c = 0; c < chunks; ++c, size += 2 * all_[i].lk * g_.ld)
          tasks_.push_back({key_heads_.size() - 1, {c * blocks / chunks, (c + 1) * blocks / chunks}, size});
      }
    sums_ = Buffer(size);
  }

  void run() const {
    std::vector<std::atomic<int64_t>> missing(key_heads_.size());
    for (size_t i = 0; i < key_heads_.size(); ++i) missing[i] = key_heads_[i].num_tasks;
    each_block(
        tasks_, [&] { return Workspace(g_); },
        [&](const Task& task, const Workspace& w) {
          one_task(task, w);
          if (--missing[task.key_head] == 0) finish(key_heads_[task.key_head]);
        });
  }

 private:
  struct KeyHead {
    size_t sequence = 0;
    int64_t head = 0;
    size_t first_task = 0;
    int64_t num_tasks = 0;
  };
  struct Task {
    size_t key_head = 0;
    Range blocks;           ///< of queries, of each head in the group
    int64_t first_sum = 0;  ///< dK / scale, then dV: [lk, ld] each
  };
  struct Workspace {
    explicit Workspace(const Gradients& g)
        : tiles(g),
          rows(2 * kBlockRows * g.p.dim),
          keys(kBlockColumns * g.p.dim),
          k_transposed(packed_size(g.gemm, g.p.dim, kBlockColumns)),
          v_transposed(packed_size(g.gemm, g.p.dim, kBlockColumns)),
          sum(kBlockRows * g.ld) {}
    Gradients::Tiles tiles;
    Buffer rows, keys, k_transposed, v_transposed, sum;
  };

  void one_task(const Task& task, const Workspace& w) const {
    const KeyHead& key_head = key_heads_[task.key_head];
    const auto& s = all_[key_head.sequence];
    const auto& floats = *g_.kernels.operands[0];
    const Range all_keys{0, s.lk};
    const auto transposed = [&](const View& x, const Buffer& to) {
      const auto rows = key_rows_of(x, s, key_head.head, all_keys, dim_, w.keys.data());
      floats.pack_transposed(rows.data, rows.row_stride, dim_, s.lk, to.data());
      return simd::PackedMatrix{to.data(), dim_, s.lk};
    };
    const auto v = transposed(g_.value, w.v_transposed), k = transposed(g_.key, w.k_transposed);
    const auto k_rows = key_rows_of(g_.key, s, key_head.head, all_keys, dim_, w.keys.data());
    std::fill_n(sums_.data() + task.first_sum, 2 * s.lk * g_.ld, 0.0F);
    for (int64_t head = key_head.head * g_.group; head < (key_head.head + 1) * g_.group; ++head)
      for (int64_t i = task.blocks.begin; i < task.blocks.end; ++i)
        one_block({key_head.sequence, head, {i * kBlockRows, std::min((i + 1) * kBlockRows, s.lq)}}, k, v,
                  k_rows, sums_.data() + task.first_sum, w);
  }

  /// dQ of a block of queries; adds to dK and dV.
  void one_block(const Block& block, const simd::PackedMatrix& k_transposed,
                 const simd::PackedMatrix& v_transposed, const simd::LeftMatrix& k, float* sums,
                 const Workspace& w) const {
    const auto& s = all_[block.sequence];
    const auto& floats = *g_.kernels.operands[0];
    const int64_t rows = block.rows.end - block.rows.begin, ld = g_.ld;
    g_.compute_delta(s, block.head, block.rows, w.rows.data());
    const auto q = rows_of(g_.q, s, s.first_q, block.head, block.rows, dim_, w.rows.data());
    const auto grad =
        rows_of(g_.grad_out, s, s.first_q, block.head, block.rows, dim_, w.rows.data() + kBlockRows * dim_);
    const Range seen = s.band.columns(block.rows, s.lk);
    const int64_t j = seen.begin / g_.gemm.panel * g_.gemm.panel, n = seen.end - j;
    float *scores = w.tiles.scores.data(), *grads = w.tiles.grads.data(), *sum = w.sum.data();
    std::fill_n(sum, rows * ld, 0.0F);
    if (n > 0) {
      const int64_t room = whole_panels(g_.gemm, n);
      g_.gemm.multiply(q, k_transposed, 0, dim_, j, room, scores, kBlockColumns, rows, false);
      g_.gemm.multiply(grad, v_transposed, 0, dim_, j, room, grads, kBlockColumns, rows, false);
      g_.fill(s, block.head, {.queries = block.rows, .keys = {j, seen.end}}, Gradients::Wanted::inputs,
              w.tiles);
      floats.add_product({grads, kBlockColumns}, k.data + j * k.row_stride, k.row_stride, n, sum, ld, rows,
                         dim_);
      floats.add_product({grads, 1, kBlockColumns}, q.data, q.row_stride, rows, sums + j * ld, ld, n, dim_);
      floats.add_product({scores, 1, kBlockColumns}, grad.data, grad.row_stride, rows, sums + (s.lk + j) * ld,
                         ld, n, dim_);
    }
    store_rows(g_.grad_q, s, s.first_q, block.head, block.rows, dim_, sum, ld, g_.p.scale);
  }

  void finish(const KeyHead& key_head) const {
    const auto& s = all_[key_head.sequence];
    const int64_t size = s.lk * g_.ld;
    float* total = sums_.data() + tasks_[key_head.first_task].first_sum;
    for (int64_t t = 1; t < key_head.num_tasks; ++t) {
      const float* more = sums_.data() + tasks_[key_head.first_task + static_cast<size_t>(t)].first_sum;
      for (int64_t i = 0; i < 2 * size; ++i) total[i] += more[i];
    }
    store_rows(g_.grad_k, s, s.first_k, key_head.head, {0, s.lk}, dim_, total, g_.ld, g_.p.scale);
    store_rows(g_.grad_v, s, s.first_k, key_head.head, {0, s.lk}, dim_, total + size, g_.ld, 1);
  }

  const Gradients& g_;
  const std::vector<Sequence>& all_;
  int64_t dim_;
  std::vector<KeyHead> key_heads_;
  std::vector<Task> tasks_;
  Buffer sums_;
};

}  // namespace

void backward_by_queries(const Gradients& gradients, const std::vector<Sequence>& sequences) {
  ByQueries(gradients, sequences).run();
}

}  // namespace gen::ops::flash::cpu
