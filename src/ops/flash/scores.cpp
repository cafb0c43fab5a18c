#include "ops/flash/scores.h"

#include <algorithm>
#include <cmath>

#include "gen/ops/fused/element.h"

namespace gen::ops::flash::cpu {
namespace {

/// tile[r][c] += bias[r * row_step + c * column_step]. By few columns at a time: where they lie far apart, their cache lines
/// last until the next rows need them.
template <class T>
void add(const T* bias, int64_t row_step, int64_t column_step, int64_t rows, int64_t columns, float* tile) {
  const int64_t together = column_step == 0 || column_step == 1 ? columns : 8;
  for (int64_t first = 0; first < columns; first += together) {
    const int64_t last = std::min(columns, first + together);
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = bias + r * row_step;
      float* to = tile + r * kBlockColumns;
      if (column_step == 1)
        for (int64_t c = first; c < last; ++c) to[c] += fused::to_float(from[c]);
      else
        for (int64_t c = first; c < last; ++c) to[c] += fused::to_float(from[c * column_step]);
    }
  }
}

}  // namespace

bool Scores::plain(const Sequence& s, const Tile& tile) const {
  return p_.scale > 0 && p_.softcap <= 0 && p_.bias == nullptr && p_.alibi_slopes == nullptr &&
         s.num_visible(tile.keys) == Tile::length(tile.keys) && s.band.covers(tile.queries, tile.keys);
}

void Scores::modify(const Sequence& s, int64_t head, const Tile& tile, float* scores, float* slope) const {
  if (has_softcap())
    k_.attention->softcap(scores, slope, kBlockColumns, tile.rows(), tile.columns(), p_.scale, p_.softcap);
  else
    for (int64_t r = 0; r < tile.rows(); ++r)
      for (int64_t c = 0; c < tile.columns(); ++c) scores[r * kBlockColumns + c] *= p_.scale;
  if (p_.bias != nullptr) add_bias(s, head, tile, scores);
  if (p_.alibi_slopes != nullptr) add_alibi(s, head, tile, scores);
  hide(s, tile, scores);
}

void Scores::add_bias(const Sequence& s, int64_t head, const Tile& tile, float* scores) const {
  const int64_t* strides = p_.bias_strides;
  const int64_t first = s.batch * strides[0] + head * strides[1] + tile.queries.begin * strides[2] +
                        tile.keys.begin * strides[3];
  const int64_t along = strides[tile.transposed ? 3 : 2], across = strides[tile.transposed ? 2 : 3];
  const auto add_as = [&]<class T>(const T* bias) {
    add(bias + first, along, across, tile.rows(), tile.columns(), scores);
  };
  if (p_.bias_dtype == DType::f32) add_as(static_cast<const float*>(p_.bias));
  if (p_.bias_dtype == DType::f16) add_as(static_cast<const fused::F16*>(p_.bias));
  if (p_.bias_dtype == DType::bf16) add_as(static_cast<const fused::Bf16*>(p_.bias));
}

void Scores::add_alibi(const Sequence& s, int64_t head, const Tile& tile, float* scores) const {
  const float slope = p_.alibi_slopes[s.batch * p_.alibi_batch_stride + head];
  // The distance from the diagonal grows by one from row to row and falls from column to column, or the other way round.
  const int64_t corner = tile.queries.begin + s.band.diagonal - tile.keys.begin;
  for (int64_t r = 0; r < tile.rows(); ++r) {
    const auto first = static_cast<float>(tile.transposed ? r - corner : corner + r);
    float* row = scores + r * kBlockColumns;
    for (int64_t c = 0; c < tile.columns(); ++c)
      row[c] -= slope * std::abs(first - static_cast<float>(static_cast<int32_t>(c)));
  }
}

void Scores::hide(const Sequence& s, const Tile& tile, float* scores) const {
  const int64_t columns = tile.columns();
  if (!s.band.covers(tile.queries, tile.keys))
    for (int64_t r = 0; r < tile.rows(); ++r) {
      const Range line = tile.transposed ? Range{tile.keys.begin + r, tile.keys.begin + r + 1}
                                         : Range{tile.queries.begin + r, tile.queries.begin + r + 1};
      const Range seen = tile.transposed ? s.band.rows(line, s.lq) : s.band.columns(line, s.lk);
      const int64_t first = tile.transposed ? tile.queries.begin : tile.keys.begin;
      float* row = scores + r * kBlockColumns;
      const int64_t begin = std::clamp<int64_t>(seen.begin - first, 0, columns);
      const int64_t end = std::clamp<int64_t>(seen.end - first, begin, columns);
      std::fill(row, row + begin, -kInfinity);
      std::fill(row + end, row + columns, -kInfinity);
    }
  if (s.num_visible(tile.keys) == Tile::length(tile.keys)) return;
  const uint8_t* visible = s.key_mask + tile.keys.begin;
  for (int64_t r = 0; r < tile.rows(); ++r) {
    float* row = scores + r * kBlockColumns;
    if (!tile.transposed)
      for (int64_t c = 0; c < columns; ++c) row[c] = visible[c] != 0 ? row[c] : -kInfinity;
    else if (visible[r] == 0)
      std::fill(row, row + columns, -kInfinity);
  }
}

void Scores::dropout_factors(const Sequence& s, int64_t head, const Tile& tile, float* factors) const {
  const Dropout& dropout = p_.dropout;
  const uint32_t threshold = dropout.threshold();
  const float keep = dropout.keep_scale();
  const auto batch_head = static_cast<uint32_t>(s.batch * p_.heads + head);
  const int64_t across = tile.transposed ? kBlockColumns : 1, along = tile.transposed ? 1 : kBlockColumns;
  for (int64_t i = tile.queries.begin; i < tile.queries.end; ++i)
    for (int64_t group = tile.keys.begin / 4; group * 4 < tile.keys.end; ++group) {
      const Philox4 words = dropout.words(static_cast<uint32_t>(i), static_cast<uint32_t>(group), batch_head);
      for (int64_t j = std::max(group * 4, tile.keys.begin); j < std::min(group * 4 + 4, tile.keys.end); ++j)
        factors[(i - tile.queries.begin) * along + (j - tile.keys.begin) * across] =
            words.word[j % 4] >= threshold ? keep : 0.0F;
    }
}

}  // namespace gen::ops::flash::cpu
