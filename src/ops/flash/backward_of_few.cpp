#include <algorithm>

#include "ops/flash/gradients.h"

namespace gen::ops::flash::cpu {
namespace {

/// Keys and values are read once, where they lie; the last part of a key head to finish adds the parts' dQ in order.
class OfFew {
  /// Keys that one task reads, and whose gradients it alone writes.
  static constexpr int64_t kPart = 2 * kBlockColumns;

 public:
  OfFew(const Gradients& g, const std::vector<Sequence>& all)
      : g_(g), all_(all), floats_(*g.kernels.operands[0]), dim_(g.p.dim), ld_(g.ld) {
    int64_t size = 0;
    for (size_t i = 0; i < all_.size(); ++i)
      for (int64_t h = 0; h < g_.p.kv_heads; ++h) {
        const auto& s = all_[i];
        const int64_t count = std::max<int64_t>(1, (s.lk + kPart - 1) / kPart);
        key_heads_.push_back({i, h, parts_.size(), count});
        for (int64_t n = 0; n < count; ++n, size += g_.group * s.lq * ld_)
          parts_.push_back({key_heads_.size() - 1, {n * kPart, std::min((n + 1) * kPart, s.lk)}, size});
      }
    sums_ = Buffer(size);
  }

  void run() const {
    each_block(
        blocks(all_, false, g_.p.heads), [&] { return Buffer(2 * kBlockRows * dim_); },
        [&](const Block& b, const Buffer& room) {
          g_.compute_delta(all_[b.sequence], b.head, b.rows, room.data());
        });
    std::vector<std::atomic<int64_t>> missing(key_heads_.size());
    for (size_t i = 0; i < key_heads_.size(); ++i) missing[i] = key_heads_[i].num_parts;
    each_block(
        parts_, [&] { return Workspace(g_); },
        [&](const Part& part, const Workspace& w) {
          one_part(part, w);
          if (--missing[part.key_head] == 0) store_grad_q(key_heads_[part.key_head]);
        });
  }

 private:
  struct KeyHead {
    size_t sequence = 0;
    int64_t head = 0;
    size_t first_part = 0;
    int64_t num_parts = 0;
  };
  struct Part {
    size_t key_head = 0;
    Range keys;
    int64_t first_sum = 0;  ///< dQ / scale: [group, lq, ld]
  };
  struct Workspace {
    explicit Workspace(const Gradients& g)
        : tiles(g),
          q(kBlockRows * g.ld),
          grad(kBlockRows * g.ld),
          k(kBlockColumns * g.p.dim),
          v(kBlockColumns * g.p.dim),
          grad_k(kBlockColumns * g.ld),
          grad_v(kBlockColumns * g.ld) {}
    Gradients::Tiles tiles;
    Buffer q, grad, k, v, grad_k, grad_v;
  };
  /// Rows that are read where they lie, or, where the key mask hides some, from a copy in float32.
  struct Rows {
    const void* data;
    int64_t ld;
    const simd::OperandKernels* operand;
  };

  Rows rows_in_place(const View& x, const Sequence& s, int64_t head, Range keys, const Buffer& room) const {
    if (s.num_visible(keys) == keys.end - keys.begin)
      return {x.at(s.batch, head, s.first_k + keys.begin), x.strides.row, x.operand};
    const auto copy = key_rows_of(x, s, head, keys, dim_, room.data());
    return {copy.data, copy.row_stride, &floats_};
  }

  void one_part(const Part& part, const Workspace& w) const {
    const KeyHead& key_head = key_heads_[part.key_head];
    const auto& s = all_[key_head.sequence];
    std::fill_n(sums_.data() + part.first_sum, g_.group * s.lq * ld_, 0.0F);
    for (int64_t j = part.keys.begin; j < part.keys.end; j += kBlockColumns) {
      const Tile tile{.queries = {0, s.lq}, .keys = {j, std::min(j + kBlockColumns, part.keys.end)}};
      const int64_t columns = tile.columns();
      std::fill_n(w.grad_k.data(), columns * ld_, 0.0F);
      std::fill_n(w.grad_v.data(), columns * ld_, 0.0F);
      const Range seeing = s.band.rows(tile.keys, s.lq);
      if (seeing.begin < seeing.end && s.num_visible(tile.keys) > 0) {
        const auto k = rows_in_place(g_.key, s, key_head.head, tile.keys, w.k);
        const auto v = rows_in_place(g_.value, s, key_head.head, tile.keys, w.v);
        for (int64_t g = 0; g < g_.group; ++g)
          one_head(s, key_head.head * g_.group + g, tile, k, v,
                   sums_.data() + part.first_sum + g * s.lq * ld_, w);
      }
      store_rows(g_.grad_k, s, s.first_k, key_head.head, tile.keys, dim_, w.grad_k.data(), ld_, g_.p.scale);
      store_rows(g_.grad_v, s, s.first_k, key_head.head, tile.keys, dim_, w.grad_v.data(), ld_, 1);
    }
  }

  /// Adds a head's part to dK, dV and its dQ.
  void one_head(const Sequence& s, int64_t head, const Tile& tile, const Rows& k, const Rows& v,
                float* grad_q, const Workspace& w) const {
    const int64_t rows = s.lq, columns = tile.columns();
    const auto widened = [&](const View& x, const Buffer& to) {
      std::fill_n(to.data(), rows * ld_, 0.0F);
      x.operand->widen(x.at(s.batch, head, s.first_q), x.strides.row, rows, dim_, to.data(), ld_);
      return to.data();
    };
    const float *q = widened(g_.q, w.q), *grad = widened(g_.grad_out, w.grad);
    float *scores = w.tiles.scores.data(), *grads = w.tiles.grads.data();
    k.operand->multiply_transposed(q, ld_, k.data, k.ld, dim_, scores, kBlockColumns, rows, columns);
    v.operand->multiply_transposed(grad, ld_, v.data, v.ld, dim_, grads, kBlockColumns, rows, columns);
    g_.fill(s, head, tile, Gradients::Wanted::inputs, w.tiles);
    k.operand->add_product({grads, kBlockColumns}, k.data, k.ld, columns, grad_q, ld_, rows, dim_);
    floats_.add_product({grads, 1, kBlockColumns}, q, ld_, rows, w.grad_k.data(), ld_, columns, dim_);
    floats_.add_product({scores, 1, kBlockColumns}, grad, ld_, rows, w.grad_v.data(), ld_, columns, dim_);
  }

  void store_grad_q(const KeyHead& key_head) const {
    const auto& s = all_[key_head.sequence];
    const int64_t size = g_.group * s.lq * ld_;
    float* total = sums_.data() + parts_[key_head.first_part].first_sum;
    for (int64_t n = 1; n < key_head.num_parts; ++n) {
      const float* more = sums_.data() + parts_[key_head.first_part + static_cast<size_t>(n)].first_sum;
      for (int64_t i = 0; i < size; ++i) total[i] += more[i];
    }
    for (int64_t g = 0; g < g_.group; ++g)
      store_rows(g_.grad_q, s, s.first_q, key_head.head * g_.group + g, {0, s.lq}, dim_,
                 total + g * s.lq * ld_, ld_, g_.p.scale);
  }

  const Gradients& g_;
  const std::vector<Sequence>& all_;
  const simd::OperandKernels& floats_;
  int64_t dim_, ld_;
  std::vector<KeyHead> key_heads_;
  std::vector<Part> parts_;
  Buffer sums_;
};

}  // namespace

void backward_of_few(const Gradients& gradients, const std::vector<Sequence>& sequences) {
  OfFew(gradients, sequences).run();
}

}  // namespace gen::ops::flash::cpu
