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
