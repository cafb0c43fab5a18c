// What happens to scores between q k^T and the softmax: soft cap, bias, ALiBi, masks; and dropout after it.
#pragma once

#include <limits>

#include "ops/flash/blocks.h"

namespace gen::ops::flash::cpu {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A tile of scores. Its rows are queries and its columns keys, or the other way round.
struct Tile {
  Range queries, keys;
  bool transposed = false;

  int64_t rows() const { return length(transposed ? keys : queries); }
  int64_t columns() const { return length(transposed ? queries : keys); }
  static int64_t length(Range r) { return r.end - r.begin; }
};

class Scores {
 public:
  Scores(const Problem& problem, const simd::Kernels& kernels) : p_(problem), k_(kernels) {}

  /// Whether softmax(scale s) is all there is to the tile.
  bool plain(const Sequence& s, const Tile& tile) const;
  /// s = mask(softcap(scale s) + bias + alibi) in place; slope (where not null) = d softcap / d(scale s). Both have rows
  /// kBlockColumns apart.
  void modify(const Sequence& s, int64_t head, const Tile& tile, float* scores, float* slope) const;
  /// 0 where dropout drops, else 1 / (1 - probability).
  void dropout_factors(const Sequence& s, int64_t head, const Tile& tile, float* factors) const;

  const Problem& problem() const { return p_; }
  bool has_softcap() const { return p_.softcap > 0; }
  bool has_dropout() const { return p_.dropout.active(); }

 private:
  void add_bias(const Sequence& s, int64_t head, const Tile& tile, float* scores) const;
  void add_alibi(const Sequence& s, int64_t head, const Tile& tile, float* scores) const;
  void hide(const Sequence& s, const Tile& tile, float* scores) const;

  const Problem& p_;
  const simd::Kernels& k_;
};

}  // namespace gen::ops::flash::cpu
