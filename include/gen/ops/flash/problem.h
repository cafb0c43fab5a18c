// One attention problem as raw pointers: what the CPU's kernels and cuda/ are given. No torch here.
#pragma once

#include <cstdint>

#include "gen/ops/flash/mask.h"
#include "gen/ops/flash/philox.h"

namespace gen::ops::flash {

enum class DType : int32_t { f32, f16, bf16 };

/// In elements; the last dimension is contiguous. A packed batch has batch = 0 and rows counted over all sequences.
struct Strides {
  int64_t batch = 0, head = 0, row = 0;
};

/// out = dropout(softmax(mask(softcap(scale q k^T) + bias + alibi))) v, and lse = log sum exp of the masked scores.
/// A row that sees no key has out = 0 and lse = -infinity.
struct Problem {
  int64_t batch = 0, heads = 0, kv_heads = 0;  ///< kv_heads divides heads
  int64_t lq = 0, lk = 0;                      ///< of the longest sequence where packed
  int64_t dim = 0;                             ///< 1..256
  DType dtype = DType::f32;                    ///< of q, k, v, out and their gradients
  const void* q = nullptr;                     ///< [B, H, Lq, D]; packed: [total_q, H, D]
  const void* k = nullptr;                     ///< [B, Hkv, Lk, D]; packed: [total_k, Hkv, D]
  const void* v = nullptr;
  Strides q_strides, k_strides, v_strides;

  float scale = 1;
  float softcap = 0;         ///< c > 0: c tanh(scale q k^T / c)
  bool bottom_right = true;  ///< alignment of the diagonal; band.diagonal follows from it for each sequence
  int64_t left = Band::kUnlimited, right = Band::kUnlimited;
  const uint8_t* key_mask = nullptr;  ///< [B, Lk], 1 where a key may be seen
  int64_t key_mask_stride = 0;        ///< between batches
  const void* bias =
      nullptr;  ///< of dtype `bias_dtype`, by strides for batch, head, row and column (0: broadcast)
  DType bias_dtype = DType::f32;
  int64_t bias_strides[4] = {0, 0, 0, 0};
  const float* alibi_slopes = nullptr;  ///< slope[b * alibi_batch_stride + h]; adds -slope |i + diagonal - j|
  int64_t alibi_batch_stride = 0;
  Dropout dropout;

  const int32_t* cu_seqlens_q = nullptr;  ///< [B + 1]: sequence b is rows cu[b] .. cu[b + 1) (packed batches)
  const int32_t* cu_seqlens_k = nullptr;
  const int32_t* used_k =
      nullptr;  ///< [B]: keys of each sequence in use (a cache being filled), at most lk; not packed

  GEN_HOST_DEVICE Band band(int64_t sequence_lq, int64_t sequence_lk) const {
    return {bottom_right ? sequence_lk - sequence_lq : 0, left, right};
  }
};

struct ForwardResult {
  void* out = nullptr;  ///< as q
  Strides out_strides;
  float* lse =
      nullptr;  ///< [B, H, Lq] contiguous, natural logarithm; packed: [H, total_q], lse_head_stride apart
  int64_t lse_batch_stride = 0, lse_head_stride = 0;
};

struct BackwardArguments {
  ForwardResult forward;  ///< what forward returned
  const void* grad_out = nullptr;
  Strides grad_out_strides;
  float* delta = nullptr;  ///< work space, laid out as lse: D_i = sum_d dO_id O_id
  void *grad_q = nullptr, *grad_k = nullptr,
       *grad_v = nullptr;  ///< of `dtype`; grad_k, grad_v as k and v (kv_heads)
  Strides grad_q_strides, grad_k_strides, grad_v_strides;
  float* grad_bias =
      nullptr;  ///< float32, contiguous, of the bias' own (unbroadcast) shape; null: not wanted
  int64_t grad_bias_sizes[4] = {1, 1, 1, 1};
  bool deterministic = true;  ///< false: allowed to add dQ by atomics
};

}  // namespace gen::ops::flash
