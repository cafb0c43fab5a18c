#include "ops/flash/scores.h"

#include <algorithm>
#include <cmath>

#include "gen/ops/fused/element.h"

namespace gen::ops::flash::cpu {
namespace {

/// body(query, key, score) over a tile.
template <class Body>
void each_score(const Tile& tile, float* scores, Body body) {
  for (int64_t r = 0; r < tile.rows(); ++r)
    for (int64_t c = 0; c < tile.columns(); ++c)
      body(tile.queries.begin + (tile.transposed ? c : r), tile.keys.begin + (tile.transposed ? r : c),
           scores[r * kBlockColumns + c]);
}

float bias_value(const void* data, DType dtype, int64_t offset) {
  if (dtype == DType::f32) return static_cast<const float*>(data)[offset];
  if (dtype == DType::f16) return fused::to_float(static_cast<const fused::F16*>(data)[offset]);
  return fused::to_float(static_cast<const fused::Bf16*>(data)[offset]);
}

}  // namespace

bool Scores::plain(const Sequence& s, const Tile& tile) const {
  return p_.scale > 0 && p_.softcap <= 0 && p_.bias == nullptr && p_.alibi_slopes == nullptr &&
         s.key_mask == nullptr && s.band.covers(tile.queries, tile.keys);
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
  const int64_t base = s.batch * strides[0] + head * strides[1];
  each_score(tile, scores, [&](int64_t i, int64_t j, float& score) {
    score += bias_value(p_.bias, p_.bias_dtype, base + i * strides[2] + j * strides[3]);
  });
}

void Scores::add_alibi(const Sequence& s, int64_t head, const Tile& tile, float* scores) const {
  const float slope = p_.alibi_slopes[s.batch * p_.alibi_batch_stride + head];
  each_score(tile, scores, [&](int64_t i, int64_t j, float& score) {
    score -= slope * static_cast<float>(std::abs(i + s.band.diagonal - j));
  });
}

void Scores::hide(const Sequence& s, const Tile& tile, float* scores) const {
  if (!s.band.covers(tile.queries, tile.keys))
    for (int64_t r = 0; r < tile.rows(); ++r) {
      const Range line = tile.transposed ? Range{tile.keys.begin + r, tile.keys.begin + r + 1}
                                         : Range{tile.queries.begin + r, tile.queries.begin + r + 1};
      const Range seen = tile.transposed ? s.band.rows(line, s.lq) : s.band.columns(line, s.lk);
      const int64_t first = tile.transposed ? tile.queries.begin : tile.keys.begin;
      float* row = scores + r * kBlockColumns;
      for (int64_t c = 0; c < tile.columns(); ++c)
        if (first + c < seen.begin || first + c >= seen.end) row[c] = -kInfinity;
    }
  if (s.key_mask != nullptr)
    each_score(tile, scores, [&](int64_t, int64_t j, float& score) {
      if (s.key_mask[j] == 0) score = -kInfinity;
    });
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
