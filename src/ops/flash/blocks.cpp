#include "ops/flash/blocks.h"

#include <algorithm>

namespace gen::ops::flash::cpu {

std::vector<Sequence> sequences(const Problem& p) {
  std::vector<Sequence> all;
  all.reserve(static_cast<size_t>(p.batch));
  for (int64_t b = 0; b < p.batch; ++b) {
    Sequence s;
    s.batch = b;
    s.lq = p.lq;
    s.lk = p.lk;
    if (p.cu_seqlens_q != nullptr) {
      s.first_q = p.cu_seqlens_q[b];
      s.lq = p.cu_seqlens_q[b + 1] - s.first_q;
      s.first_k = p.cu_seqlens_k[b];
      s.lk = p.cu_seqlens_k[b + 1] - s.first_k;
    }
    if (p.used_k != nullptr) s.lk = p.used_k[b];
    s.band = p.band(s.lq, s.lk);
    if (p.key_mask != nullptr) s.key_mask = p.key_mask + b * p.key_mask_stride;
    all.push_back(s);
  }
  return all;
}

int64_t Sequence::num_visible(Range keys) const {
  if (key_mask == nullptr) return keys.end - keys.begin;
  return std::count_if(key_mask + keys.begin, key_mask + keys.end, [](uint8_t seen) { return seen != 0; });
}

simd::LeftMatrix rows_of(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows,
                         int64_t dim, float* room) {
  const void* from = x.at(s.batch, head, first + rows.begin);
  if (x.dtype == DType::f32) return {static_cast<const float*>(from), x.strides.row};
  x.operand->widen(from, x.strides.row, rows.end - rows.begin, dim, room, dim);
  return {room, dim};
}

simd::LeftMatrix key_rows_of(const View& x, const Sequence& s, int64_t head, Range keys, int64_t dim,
                             float* room) {
  const int64_t count = keys.end - keys.begin;
  if (s.num_visible(keys) == count) return rows_of(x, s, s.first_k, head, keys, dim, room);
  x.operand->widen(x.at(s.batch, head, s.first_k + keys.begin), x.strides.row, count, dim, room, dim);
  for (int64_t j = 0; j < count; ++j)
    if (s.key_mask[keys.begin + j] == 0) std::fill_n(room + j * dim, dim, 0.0F);
  return {room, dim};
}

void store_rows(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows, int64_t dim,
                const float* from, int64_t ld, float scale) {
  x.operand->narrow(from, ld, rows.end - rows.begin, dim, scale, x.at(s.batch, head, first + rows.begin),
                    x.strides.row);
}

namespace {

/// Zeros for the hidden ones of a packed panel's keys, which are its rows or its columns.
void hide_keys(const uint8_t* visible, int64_t keys, int64_t dim, bool are_columns, int64_t width,
               float* panel) {
  for (int64_t j = 0; j < keys; ++j)
    if (visible[j] == 0)
      for (int64_t d = 0; d < dim; ++d) panel[are_columns ? d * width + j : j * width + d] = 0;
}

}  // namespace

PackedHeads::PackedHeads(const View& x, const std::vector<Sequence>& all, bool keys, int64_t heads,
                         int64_t dim, bool transposed, const simd::GemmKernels& kernels)
    : heads_(static_cast<size_t>(heads)) {
  int64_t total = 0;
  std::vector<int64_t> offsets;
  for (const auto& s : all)
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t length = keys ? s.lk : s.lq;
      offsets.push_back(total);
      matrices_.push_back(transposed ? simd::PackedMatrix{nullptr, dim, length}
                                     : simd::PackedMatrix{nullptr, length, dim});
      total += (packed_size(kernels, matrices_.back().rows, matrices_.back().columns) + 15) / 16 * 16;
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
    for (int64_t j = 0; j < matrices_[i].columns; j += kernels.panel) tasks.push_back({i, j});
  }
  parallel_for(0, static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const auto [i, j] = tasks[static_cast<size_t>(t)];
      const auto& matrix = matrices_[i];
      const auto& s = all[i / heads_];
      const int64_t head = static_cast<int64_t>(i % heads_), first = keys ? s.first_k : s.first_q;
      const int64_t columns = std::min(kernels.panel, matrix.columns - j);
      float* out = buffer_.data() + offsets[i] + j * matrix.rows;
      // Columns of x^T are rows of x.
      const void* from = x.at(s.batch, head, first + (transposed ? j : 0), transposed ? 0 : j);
      (transposed ? x.operand->pack_transposed : x.operand->pack)(from, x.strides.row, matrix.rows, columns,
                                                                  out);
      if (keys && s.key_mask != nullptr) {
        const int64_t width = packed_size(kernels, 1, columns);
        if (transposed)
          hide_keys(s.key_mask + j, columns, matrix.rows, true, width, out);
        else
          hide_keys(s.key_mask, matrix.rows, width, false, width, out);
      }
    }
  });
}

std::vector<Block> blocks(const std::vector<Sequence>& all, bool keys, int64_t heads) {
  std::vector<Block> list;
  int64_t longest = 0;
  for (const auto& s : all) longest = std::max(longest, keys ? s.lk : s.lq);
  const int64_t count = (longest + kBlockRows - 1) / kBlockRows;
  for (int64_t n = 0; n < count; ++n) {
    const int64_t begin =
        (keys ? n : count - 1 - n) * kBlockRows;  // causal: late queries, early keys cost most
    for (size_t i = 0; i < all.size(); ++i) {
      const int64_t length = keys ? all[i].lk : all[i].lq;
      if (begin >= length) continue;
      for (int64_t h = 0; h < heads; ++h)
        list.push_back({i, h, {begin, std::min(begin + kBlockRows, length)}});
    }
  }
  return list;
}

}  // namespace gen::ops::flash::cpu
