#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {
namespace {

/// A task is a part of the bias that no other task adds to: one of its heads, and of its rows a block, or its one row.
class OfBias {
 public:
  OfBias(const Gradients& g, const std::vector<Sequence>& all) : g_(g), all_(all) {}

  void run() const {
    const Products products(g_.kernels);
    const PackedHeads k_transposed(g_.key, all_, true, g_.p.kv_heads, g_.p.dim, true, products);
    const PackedHeads v_transposed(g_.value, all_, true, g_.p.kv_heads, g_.p.dim, true, products);
    const int64_t* size = g_.a.grad_bias_sizes;
    std::fill_n(g_.a.grad_bias, size[0] * size[1] * size[2] * size[3], 0.0F);
    each_block(
        bias_parts(), [&] { return Workspace(g_); },
        [&](const std::vector<Block>& part, const Workspace& w) {
          for (const Block& block : part) add_block_to_bias(block, k_transposed, v_transposed, w);
        });
  }

 private:
  struct Workspace {
    explicit Workspace(const Gradients& g) : tiles(g), q(kBlockRows * g.p.dim), grad(kBlockRows * g.p.dim) {}
    Gradients::Tiles tiles;
    Buffer q, grad;
  };

  /// All blocks of queries, those that add to the same part of the bias together and in order.
  std::vector<std::vector<Block>> bias_parts() const {
    const int64_t* size = g_.a.grad_bias_sizes;
    std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<Block>> parts;
    for (const Block& block : blocks(all_, false, g_.p.heads))
      parts[{size[0] == 1 ? 0 : all_[block.sequence].batch, size[1] == 1 ? 0 : block.head,
             size[2] == 1 ? 0 : block.rows.begin}]
          .push_back(block);
    std::vector<std::vector<Block>> list;
    for (auto& [part, members] : parts) list.push_back(std::move(members));
    return list;
  }

  void add_block_to_bias(const Block& block, const PackedHeads& k_transposed, const PackedHeads& v_transposed,
                         const Workspace& w) const {
    const auto& s = all_[block.sequence];
    const int64_t rows = block.rows.end - block.rows.begin, kv_head = block.head / g_.group;
    const auto q = rows_of(g_.q, s, s.first_q, block.head, block.rows, g_.p.dim, w.q.data());
    const auto g = rows_of(g_.grad_out, s, s.first_q, block.head, block.rows, g_.p.dim, w.grad.data());
    const Range seen = s.band.columns(block.rows, s.lk);
    for (int64_t j = seen.begin / g_.gemm.panel * g_.gemm.panel; j < seen.end; j += kBlockColumns) {
      const Tile tile{.queries = block.rows, .keys = {j, std::min(j + kBlockColumns, seen.end)}};
      const int64_t n = whole_panels(g_.gemm, tile.columns());
      g_.gemm.multiply(q, k_transposed(block.sequence, kv_head), 0, g_.p.dim, j, n, w.tiles.scores.data(),
                       kBlockColumns, rows, false);
      g_.gemm.multiply(g, v_transposed(block.sequence, kv_head), 0, g_.p.dim, j, n, w.tiles.grads.data(),
                       kBlockColumns, rows, false);
      g_.fill(s, block.head, tile, Gradients::Wanted::bias, w.tiles);
      add_to_bias(block, tile, w.tiles.grads.data());
    }
  }

  void add_to_bias(const Block& block, const Tile& tile, const float* ds) const {
    const int64_t* size = g_.a.grad_bias_sizes;
    const int64_t batch = size[0] == 1 ? 0 : all_[block.sequence].batch, head = size[1] == 1 ? 0 : block.head;
    for (int64_t r = 0; r < tile.rows(); ++r) {
      const int64_t row = size[2] == 1 ? 0 : tile.queries.begin + r;
      float* to = g_.a.grad_bias + ((batch * size[1] + head) * size[2] + row) * size[3];
      for (int64_t c = 0; c < tile.columns(); ++c)
        to[size[3] == 1 ? 0 : tile.keys.begin + c] += ds[r * kBlockColumns + c];
    }
  }

  const Gradients& g_;
  const std::vector<Sequence>& all_;
};

}  // namespace

void backward_of_bias(const Gradients& gradients, const std::vector<Sequence>& sequences) {
  OfBias(gradients, sequences).run();
}

}  // namespace gen::ops::flash::cpu
