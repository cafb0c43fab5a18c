// Scaled dot-product attention behind one name, on CPU and GPU alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <utility>

namespace gen::ops {

/// Where the diagonal of causal attention and of windows lies: row i is aligned with column i (top_left), or the last row
/// with the last column (bottom_right: i + Lk - Lq). The same where Lq = Lk.
enum class Alignment { top_left, bottom_right };

/// What computes: `fused` our kernels, `sdpa` torch's, `reference` torch's operations by the definition (any floating dtype,
/// differentiable twice, holds [Lq, Lk]); `check` computes by fused and by reference, forward and backward, logs the largest
/// difference of out, lse and each gradient, throws where one is beyond rounding and returns fused. `automatic` follows the
/// environment's GEN_ATTENTION, else takes fused, or another path for what fused has no kernels for or torch's was measured
/// faster at.
enum class AttentionPath { automatic, fused, sdpa, reference, check };
inline constexpr std::array kAttentionPaths{
    std::pair{"auto", AttentionPath::automatic}, std::pair{"fused", AttentionPath::fused},
    std::pair{"sdpa", AttentionPath::sdpa}, std::pair{"reference", AttentionPath::reference},
    std::pair{"check", AttentionPath::check}};

struct AttentionOptions {
  /// Of q k^T; default D^-1/2.
  std::optional<double> scale = {};
  /// No key to the right of the diagonal.
  bool causal = false;
  Alignment alignment = Alignment::bottom_right;
  /// Keys seen on each side of the diagonal; none: all.
  std::optional<int64_t> window_left = {}, window_right = {};
  /// [B, Lk] bool, true where a key may be seen; or undefined.
  at::Tensor key_padding_mask = {};
  /// Floating, broadcasts to [B, H, Lq, Lk], added after the soft cap; differentiable; or undefined.
  at::Tensor bias = {};
  /// [H] or [B, H]: adds -slope |i + diagonal - j| (Press et al. 2022); or undefined.
  at::Tensor alibi_slopes = {};
  /// c > 0: c tanh(score / c) (Gemma 2); 0: none.
  double softcap = 0;
  /// Probability in [0, 1) that a weight is dropped; what is kept is scaled by 1 / (1 - dropout).
  double dropout = 0;
  /// Of the dropout mask: Philox4x32-10 keyed by (seed, offset; row, column, b * H + h).
  int64_t seed = 0, offset = 0;
  /// False: gradients may be added in any order, where that is faster (GPU).
  bool deterministic = true;
  AttentionPath path = AttentionPath::automatic;
};

/// softmax(scale q k^T) v (Vaswani et al. 2017, eq. 1), never materialising [Lq, Lk].
/// q [B, H, Lq, D], k and v [B, Hkv, Lk, D], Hkv divides H (head h reads key head h / (H / Hkv)); D <= 256; any strides;
/// float32, bfloat16 or float16, all alike. Out has q's shape and dtype; its heads are merged without a copy by
/// transpose(1, 2).reshape(). A row that sees no key is 0. On the CPU, keys and values that key_padding_mask hides or that lie
/// past their sequence's end may hold anything, NaN included (fused and reference); what causal attention or a window hides
/// from some rows only must be finite, as 0 NaN = NaN. Differentiable once. Throws ShapeError naming what was expected and
/// what was got, ConfigError where the path cannot do what is asked.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionOptions& options = {});

struct AttentionResult {
  at::Tensor out;
  /// float32 [B, H, Lq] (packed: [H, total_q]): log sum_j exp(score_ij), natural; -infinity for a row that sees no key.
  /// Not differentiable.
  at::Tensor lse;
};
/// The same with the log-sum-exp, by which results over parts of the keys are combined.
AttentionResult attention_with_lse(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const AttentionOptions& options = {});

/// Where the sequences of a packed batch begin: int32 [B + 1] each, from 0 to the total, not decreasing.
struct PackedSequences {
  at::Tensor cu_seqlens_q, cu_seqlens_k;
  int64_t max_q = 0, max_k = 0;  ///< length of the longest
};
/// Attention within each sequence of a packed batch: q [total_q, H, D], k and v [total_k, Hkv, D]; out as q. No
/// key_padding_mask; a bias broadcasts to [B, H, max_q, max_k].
AttentionResult packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const PackedSequences& sequences, const AttentionOptions& options = {});

/// Keys and values of the tokens so far, with room for more.
struct KeyValueCache {
  at::Tensor k, v;     ///< [B, Hkv, capacity, D]
  at::Tensor lengths;  ///< int32 [B], how many tokens of each sequence are held
};
KeyValueCache make_key_value_cache(int64_t batch, int64_t kv_heads, int64_t capacity, int64_t dim,
                                   const at::TensorOptions& options);
/// Appends k and v [B, Hkv, L, D] to each sequence, then attends q [B, H, L, D] to what each holds, aligned bottom right.
/// No gradient, no key_padding_mask. Throws ShapeError where a sequence has no room left.
at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            KeyValueCache& cache, const AttentionOptions& options = {});

}  // namespace gen::ops
