#include "ops/flash/products.h"

#include <algorithm>
#include <cstring>

namespace gen::ops::flash::cpu {

Products::Products(const Problem& p, const simd::Kernels& kernels) : kernels_(kernels) {
  const bool fits = p.dtype == DType::bf16 && p.dim % 2 == 0;
  if (fits && kernels.pairs->multiply != nullptr) pairs_ = kernels.pairs;
}

void Products::multiply(const simd::LeftMatrix& a, const simd::PackedMatrix& b, int64_t k0, int64_t k,
                        int64_t n0, int64_t n, float* c, int64_t ldc, int64_t m, bool accumulate) const {
  if (pairs_ != nullptr)
    pairs_->multiply(a, b, k0 / 2, (k + 1) / 2, n0, n, c, ldc, m, accumulate);
  else
    kernels_.gemm->multiply(a, b, k0, k, n0, n, c, ldc, m, accumulate);
}

simd::PackedMatrix Products::packed(int64_t rows, int64_t columns) const {
  return {nullptr, pairs_ != nullptr ? (rows + 1) / 2 : rows, columns};
}

void Products::pack(const View& x, const void* from, bool transposed, int64_t rows, int64_t columns,
                    float* out) const {
  if (pairs_ == nullptr)
    (transposed ? x.operand->pack_transposed : x.operand->pack)(from, x.strides.row, rows, columns, out);
  else if (transposed)
    pairs_->pack_transposed(from, x.strides.row, rows / 2, columns, out);
  else
    pairs_->pack(from, x.strides.row, rows, columns, out);
}

simd::LeftMatrix Products::pair_rows(const View& x, const Sequence& s, int64_t first, int64_t head,
                                     Range rows, int64_t dim, float* room) const {
  for (int64_t i = 0; i < rows.end - rows.begin; ++i)
    std::memcpy(room + i * dim / 2, x.at(s.batch, head, first + rows.begin + i),
                static_cast<size_t>(2 * dim));
  return {room, dim / 2};
}

simd::LeftMatrix Products::query_rows(const View& x, const Sequence& s, int64_t head, Range rows, int64_t dim,
                                      float* room) const {
  return pairs_ != nullptr ? pair_rows(x, s, s.first_q, head, rows, dim, room)
                           : rows_of(x, s, s.first_q, head, rows, dim, room);
}

simd::LeftMatrix Products::key_rows(const View& x, const Sequence& s, int64_t head, Range rows, int64_t dim,
                                    float* room) const {
  if (pairs_ == nullptr) return key_rows_of(x, s, head, rows, dim, room);
  const auto a = pair_rows(x, s, s.first_k, head, rows, dim, room);
  if (s.key_mask != nullptr)
    for (int64_t j = rows.begin; j < rows.end; ++j)
      if (s.key_mask[j] == 0) std::fill_n(room + (j - rows.begin) * a.row_stride, a.row_stride, 0.0F);
  return a;
}

void Products::pack_rows(const simd::LeftMatrix& a, int64_t rows, int64_t dim, float* out) const {
  if (pairs_ != nullptr)
    pairs_->pack(a.data, 2 * a.row_stride, rows, dim, out);
  else
    kernels_.operands[0]->pack(a.data, a.row_stride, rows, dim, out);
}

void Products::hide_keys(const uint8_t* visible, int64_t keys, bool transposed, int64_t rows, int64_t columns,
                         float* panel) const {
  const int64_t width = packed_size(*kernels_.gemm, 1, columns);
  for (int64_t j = 0; j < keys; ++j) {
    if (visible[j] != 0) continue;
    if (transposed) {
      for (int64_t r = 0; r < rows; ++r) panel[r * width + j] = 0;
    } else if (pairs_ == nullptr) {
      std::fill_n(panel + j * width, width, 0.0F);
    } else {  // one of each pair
      auto* halves = reinterpret_cast<uint16_t*>(panel + j / 2 * width) + j % 2;
      for (int64_t c = 0; c < width; ++c) halves[2 * c] = 0;
    }
  }
}

simd::LeftMatrix Products::tile(const float* tile, int64_t rows, int64_t columns, float* room) const {
  if (pairs_ == nullptr) return {tile, kBlockColumns};
  pairs_->narrow(tile, kBlockColumns, rows, columns, room, kBlockColumns / 2);
  return {room, kBlockColumns / 2};
}

simd::LeftMatrix Products::transposed_tile(const float* tile, int64_t rows, int64_t columns,
                                           float* room) const {
  if (pairs_ == nullptr) return {tile, 1, kBlockColumns};
  pairs_->narrow_rows(tile, kBlockColumns, rows, columns, room, kBlockColumns);
  return {room, 1, kBlockColumns};
}

PackedHeads::PackedHeads(const View& x, const std::vector<Sequence>& all, bool keys, int64_t heads,
                         int64_t dim, bool transposed, const Products& products)
    : heads_(static_cast<size_t>(heads)) {
  const int64_t panel = products.gemm().panel;
  int64_t total = 0;
  std::vector<int64_t> offsets;
  for (const auto& s : all)
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t length = keys ? s.lk : s.lq;
      offsets.push_back(total);
      matrices_.push_back(transposed ? products.packed(dim, length) : products.packed(length, dim));
      total += (products.size_of(matrices_.back()) + 15) / 16 * 16;
    }
  buffer_ = Buffer(total);
  // A task is a panel: also a single head is packed by all threads.
  struct Task {
    size_t matrix;
    int64_t column;
  };
  std::vector<Task> tasks;
  for (size_t i = 0; i < matrices_.size(); ++i) {
    matrices_[i].data = buffer_.data() + offsets[i];
    for (int64_t j = 0; j < matrices_[i].columns; j += panel) tasks.push_back({i, j});
  }
  parallel_for(0, static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const auto [i, j] = tasks[static_cast<size_t>(t)];
      const auto& matrix = matrices_[i];
      const auto& s = all[i / heads_];
      const int64_t head = static_cast<int64_t>(i % heads_), first = keys ? s.first_k : s.first_q;
      const int64_t columns = std::min(panel, matrix.columns - j);
      float* out = buffer_.data() + offsets[i] + j * matrix.rows;
      // Columns of x^T are rows of x.
      const void* from = x.at(s.batch, head, first + (transposed ? j : 0), transposed ? 0 : j);
      products.pack(x, from, transposed, transposed ? dim : (keys ? s.lk : s.lq), columns, out);
      if (keys && s.key_mask != nullptr)
        products.hide_keys(s.key_mask + (transposed ? j : 0), transposed ? columns : s.lk, transposed,
                           matrix.rows, columns, out);
    }
  });
}

}  // namespace gen::ops::flash::cpu
