#include "ops/flash/blocks.h"

#include <algorithm>

#include "gen/ops/fused/element.h"

namespace gen::ops::flash::cpu {
using fused::Bf16;

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
    all.push_back(s);
  }
  return all;
}

simd::LeftMatrix rows_of(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows,
                         int64_t dim, float* room) {
  const int64_t row = first + rows.begin;
  if (x.dtype == DType::f32) return {x.at<const float>(s.batch, head, row), x.strides.row};
  for (int64_t i = 0; i < rows.end - rows.begin; ++i) {
    const auto* from = x.at<const Bf16>(s.batch, head, row + i);
    for (int64_t d = 0; d < dim; ++d) room[i * dim + d] = fused::to_float(from[d]);
  }
  return {room, dim};
}

void store_rows(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows, int64_t dim,
                const float* from, int64_t ld, float scale) {
  for (int64_t i = 0; i < rows.end - rows.begin; ++i, from += ld) {
    const int64_t row = first + rows.begin + i;
    if (x.dtype == DType::f32) {
      auto* to = x.at<float>(s.batch, head, row);
      for (int64_t d = 0; d < dim; ++d) to[d] = from[d] * scale;
    } else {
      auto* to = x.at<Bf16>(s.batch, head, row);
      for (int64_t d = 0; d < dim; ++d) to[d] = fused::from_float<Bf16>(from[d] * scale);
    }
  }
}

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
      const int64_t offset = x.offset(s.batch, head, first) + (transposed ? j * x.strides.row : j);
      if (x.dtype == DType::f32)
        (transposed ? kernels.pack_transposed : kernels.pack)(static_cast<const float*>(x.data) + offset,
                                                              x.strides.row, matrix.rows, columns, out);
      else
        (transposed ? kernels.pack_transposed_bf16 : kernels.pack_bf16)(
            static_cast<const uint16_t*>(x.data) + offset, x.strides.row, matrix.rows, columns, out);
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
