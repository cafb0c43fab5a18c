// GroupNorm followed, if asked, by SiLU, in one pass over memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::ops {

/// y = silu(group_norm(x)) (Wu & He 2018; Elfwing et al. 2018), or without the SiLU. x [B, C, ...], float32 or
/// bfloat16, contiguous or channels-last (kept); weight and bias [C]; num_groups divides C. Differentiable. Throws
/// ShapeError naming both shapes on a mismatch.
at::Tensor group_norm_silu(const at::Tensor& x, int64_t num_groups, const at::Tensor& weight, const at::Tensor& bias,
                           double eps, bool silu = true);

struct GroupNormArgs {
  int64_t num_groups = 32;
  at::Tensor weight, bias;  ///< [C]
  double eps = 1e-5;
  bool silu = true;
  at::Tensor skip;   ///< [B, S, ...] or undefined: follows x, then [B, C - S, ...], along the channels
  at::Tensor shift;  ///< [B, C] or undefined: added to every pixel before the norm
};
/// The same of cat(x, skip) + shift, made without either intermediate tensor; y [B, C, ...].
at::Tensor group_norm_silu(const at::Tensor& x, const GroupNormArgs& args);

}  // namespace gen::ops
