// The CPU implementation of group_norm_silu, forward and backward, over ops/simd's kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include "gen/ops/group_norm_silu.h"
#include "ops/simd/kernels.h"

namespace gen::ops::cpu {

/// True where the kernels take these tensors: float32 or bfloat16 on the CPU, not empty.
bool group_norm_supported(const at::Tensor& x, const GroupNormArgs& args);

/// What backward needs of forward beside its inputs, float32.
struct GroupNormStatistics {
  at::Tensor mean, rstd;    ///< [B, G], of x + shift
  at::Tensor channel_mean;  ///< [B, C], of x alone
};
at::Tensor group_norm_forward(const at::Tensor& x, const GroupNormArgs& args, GroupNormStatistics& statistics,
                              const simd::Kernels& kernels = simd::kernels());

struct GroupNormGrads {
  at::Tensor x, skip;                 ///< like x and skip
  at::Tensor weight, bias;            ///< [C] float32
  at::Tensor shift;                   ///< [B, C] float32; undefined without a shift
  at::Tensor film_scale, film_shift;  ///< [B, C] float32; undefined without them
};
GroupNormGrads group_norm_backward(const at::Tensor& grad, const at::Tensor& x, const GroupNormArgs& args,
                                   const GroupNormStatistics& statistics,
                                   const simd::Kernels& kernels = simd::kernels());

}  // namespace gen::ops::cpu
