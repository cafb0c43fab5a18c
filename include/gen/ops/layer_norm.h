// LayerNorm and RMSNorm over the last dimension, together with the addition that stands before them in a transformer.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::ops {

struct NormArgs {
  at::Tensor weight{};  ///< [D] or undefined: 1
  at::Tensor bias{};    ///< [D] or undefined: 0
  double eps = 1e-5;
  at::Tensor residual{};  ///< like x, or undefined: added to x before the norm
};

struct Normed {
  at::Tensor y;    ///< like x
  at::Tensor sum;  ///< x + residual, rounded to x's dtype; x itself without a residual
};

/// y = weight (s - mean(s)) / sqrt(var(s) + eps) + bias, s = x + residual (Ba et al. 2016). x [..., D], any strides;
/// float32, bfloat16 or float16, with arithmetic in float32 (float16 on the CPU and other dtypes get torch's
/// own operations). y and sum are differentiable. On CUDA cuda/layer_norm.cu, where libgen_cuda.so is there. Throws
/// ShapeError naming the shapes on a mismatch.
Normed layer_norm(const at::Tensor& x, const NormArgs& args);

/// The same with y = weight s / sqrt(mean(s^2) + eps) + bias (Zhang & Sennrich 2019).
Normed rms_norm(const at::Tensor& x, const NormArgs& args);

}  // namespace gen::ops
