// What the backward's passes share: a tile's weights and score gradients from raw products.
#pragma once

#include "ops/flash/products.h"
#include "ops/flash/scores.h"

namespace gen::ops::flash::cpu {

/// Dao 2023, algorithm 2: with P = exp(S - lse), dP = dO V^T and dS = P (dP - delta), delta_i = dO_i . O_i,
/// dV = P^T dO, dK = scale dS^T Q and dQ = scale dS K.
class Gradients {
 public:
  Gradients(const Problem& problem, const BackwardArguments& arguments, const simd::Kernels& kernels);

  /// Tiles of scores and of their gradients, kBlockRows x kBlockColumns, and what it takes to fill them.
  struct Tiles {
    explicit Tiles(const Gradients& g);
    static constexpr int64_t kSize = kBlockRows * kBlockColumns;
    Buffer scores, grads, factors, slope, lse, delta;
  };
  enum class Wanted { inputs, bias };
  /// From raw products q k^T in t.scores and dO v^T in t.grads: P and dS in their places: P after dropout (dV needs it), dS
  /// for the bias without the soft cap's slope, as it is added after the cap.
  void fill(const Sequence& s, int64_t head, const Tile& tile, Wanted wanted, const Tiles& t) const;

  /// delta of a block of queries; `room` holds two blocks of rows.
  void compute_delta(const Sequence& s, int64_t head, Range rows, float* room) const;

  const Problem& p;
  const BackwardArguments& a;
  const simd::Kernels& kernels;
  const simd::GemmKernels& gemm;
  View q, key, value, out, grad_out, grad_q, grad_k, grad_v;
  int64_t ld;     ///< floats between rows of sums: D in whole vectors
  int64_t group;  ///< heads that share a key head

 private:
  int64_t statistic(const Sequence& s, int64_t head, int64_t query) const {
    return s.batch * a.forward.lse_batch_stride + head * a.forward.lse_head_stride + s.first_q + query;
  }

  Scores scores_;
};

/// dQ, dK and dV of sequences with many keys, whose delta is there: blocks of keys are outside, tiles are transposed.
void backward_by_keys(const Gradients& gradients, const std::vector<Sequence>& sequences);

/// Whether all keys of the sequence fit a tile.
inline bool has_few_keys(const Sequence& s) { return s.lk <= kBlockColumns; }
/// delta, dQ, dK and dV of sequences with few keys: blocks of queries are outside.
void backward_by_queries(const Gradients& gradients, const std::vector<Sequence>& sequences);

/// Queries x heads for a key head up to which the backward, too, is bound by reading keys and writing their gradients.
inline bool has_few_queries(const Sequence& s, int64_t heads_per_key_head) {
  return s.lq * heads_per_key_head <= 16;
}
/// delta, dQ, dK and dV of sequences with few queries: parts of the keys are outside, read where they lie.
void backward_of_few(const Gradients& gradients, const std::vector<Sequence>& sequences);

/// dBias, which is dS summed over what the bias is broadcast along; delta is there.
void backward_of_bias(const Gradients& gradients, const std::vector<Sequence>& sequences);

}  // namespace gen::ops::flash::cpu
