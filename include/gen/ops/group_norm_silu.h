// GroupNorm followed, if asked, by SiLU, in one pass over memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::ops {

/// y = silu(group_norm(x)) (Wu & He 2018; Elfwing et al. 2018), or without the SiLU. x [B, C, ...], float32, bfloat16 or
/// (on CUDA) float16, contiguous or channels-last (kept); weight and bias [C]; num_groups divides C. Differentiable.
/// Other dtypes get torch's own operations. On CUDA cuda/group_norm.cu, where libgen_cuda.so is there. Throws ShapeError
/// naming the shapes on a mismatch.
at::Tensor group_norm_silu(const at::Tensor& x, int64_t num_groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, bool silu = true);

struct GroupNormArgs {
  int64_t num_groups = 32;
  at::Tensor weight, bias;  ///< [C]
  double eps = 1e-5;
  bool silu = true;
  at::Tensor skip{};   ///< [B, S, ...] or undefined: follows x, then [B, C - S, ...], along the channels
  at::Tensor shift{};  ///< [B, C] or undefined: added to every pixel before the norm
  /// [B, C] or both undefined: with h the normalised input, the SiLU is of (1 + film_scale) h + film_shift (Perez et
  /// al. 2018; Dhariwal & Nichol 2021, section 3.4).
  at::Tensor film_scale{}, film_shift{};
};
/// The same of cat(x, skip) + shift, made without any intermediate tensor; y [B, C, ...].
at::Tensor group_norm_silu(const at::Tensor& x, const GroupNormArgs& args);

}  // namespace gen::ops
