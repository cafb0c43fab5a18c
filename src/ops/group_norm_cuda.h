// group_norm_silu on CUDA: tensors to fused::GroupNormProblem, and the launcher of cuda/group_norm.cu.
#pragma once

#include "gen/ops/fused/group_norm.h"
#include "ops/group_norm_cpu.h"

namespace gen::ops::cuda {

/// True where our kernels take these tensors: float32, bfloat16 or float16 on CUDA, not empty, and libgen_cuda.so is
/// there.
bool group_norm_supported(const at::Tensor& x, const GroupNormArgs& args);

/// As cpu::group_norm_forward and backward. `launch` is what works on the problem; by default the GPU.
at::Tensor group_norm_forward(const at::Tensor& x, const GroupNormArgs& args,
                              cpu::GroupNormStatistics& statistics,
                              fused::GroupNormLauncher launch = nullptr);
cpu::GroupNormGrads group_norm_backward(const at::Tensor& grad, const at::Tensor& x,
                                        const GroupNormArgs& args, const cpu::GroupNormStatistics& statistics,
                                        fused::GroupNormLauncher launch = nullptr);

}  // namespace gen::ops::cuda
