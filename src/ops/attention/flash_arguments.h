// The operator's flat argument list and what it stands for.
#pragma once

#include <torch/library.h>

#include "gen/ops/flash/launchers.h"
#include "gen/ops/flash/problem.h"
#include "ops/attention/call.h"

namespace gen::ops {

/// Everything but q, k and v, as the schema lists it.
struct FlashArguments {
  std::optional<at::Tensor> key_padding_mask, bias, alibi_slopes, cu_seqlens_q, cu_seqlens_k, used_k;
  int64_t max_q = 0, max_k = 0;
  std::optional<double> scale;
  double softcap = 0, dropout = 0;
  int64_t seed = 0, offset = 0, window_left = -1, window_right = -1;
  bool causal = false, bottom_right = true, deterministic = true;
};

FlashArguments flash_arguments(const AttentionCall& call);
AttentionCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const FlashArguments& a);

/// Tensors that a Problem's pointers point into: alive as long as it is used.
struct PreparedProblem {
  flash::Problem problem;
  std::vector<at::Tensor> kept;
};
/// The kernels' view of a call whose tensors they can read: contiguous rows, a mask of bytes, slopes in float32.
PreparedProblem prepare(const AttentionCall& call);

/// x, or a copy of it, with a contiguous last dimension.
at::Tensor with_contiguous_rows(const at::Tensor& x);
/// For a tensor [B, H, L, D]: its strides; for a packed one [total, H, D]: batch 0.
flash::Strides strides_of(const at::Tensor& x);

}  // namespace gen::ops
