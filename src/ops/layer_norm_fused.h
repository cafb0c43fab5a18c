// layer_norm and rms_norm on rows: the CPU implementation over ops/simd's kernels, and cuda/layer_norm.cu.
#pragma once

#include <ATen/core/Tensor.h>

#include "gen/ops/fused/row_norm.h"
#include "gen/ops/layer_norm.h"
#include "ops/simd/kernels.h"

namespace gen::ops {

/// The tensors of a call as the kernels read them.
struct RowNormInputs {
  RowNormInputs(const at::Tensor& x, const NormArgs& args, bool center);
  at::Tensor x, residual;   ///< contiguous
  at::Tensor weight, bias;  ///< [D] float32; the bias may be undefined
  double eps;
  bool center;
  int64_t width() const { return x.size(-1); }
  int64_t rows() const { return x.numel() / width(); }
};

struct RowNormOutputs {
  at::Tensor y, sum;      ///< without a residual the sum is x
  at::Tensor mean, rstd;  ///< [rows] float32
};
struct RowNormGrads {
  at::Tensor x;             ///< the residual's too
  at::Tensor weight, bias;  ///< [D] float32
};

namespace cpu {
bool row_norm_supported(const at::Tensor& x, const NormArgs& args);
RowNormOutputs row_norm_forward(const RowNormInputs& inputs, const simd::Kernels& kernels = simd::kernels());
/// dy and dsum contiguous, like x; dsum may be undefined.
RowNormGrads row_norm_backward(const RowNormInputs& inputs, const RowNormOutputs& outputs,
                               const at::Tensor& dy, const at::Tensor& dsum,
                               const simd::Kernels& kernels = simd::kernels());
}  // namespace cpu

namespace cuda {
bool row_norm_supported(const at::Tensor& x, const NormArgs& args);
/// `launch` is what works on the problem; by default the GPU.
RowNormOutputs row_norm_forward(const RowNormInputs& inputs, fused::RowNormLauncher launch = nullptr);
RowNormGrads row_norm_backward(const RowNormInputs& inputs, const RowNormOutputs& outputs,
                               const at::Tensor& dy, const at::Tensor& dsum,
                               fused::RowNormLauncher launch = nullptr);
}  // namespace cuda

}  // namespace gen::ops
