// The rotary embedding of a problem's rows on the CPU, and the problem of tensors.
#pragma once

#include "gen/ops/fused/rotary.h"
#include "gen/ops/rotary.h"
#include "ops/simd/kernels.h"

namespace gen::ops {

/// x and y [B, H, T, D] with contiguous last dimensions, of a dtype that the kernels take; y may be x.
fused::RotaryProblem rotary_problem(const at::Tensor& x, const at::Tensor& y, const RotaryTable& table,
                                    RotaryLayout layout, bool inverse);

namespace cpu {
/// float32 and bfloat16.
void rotate_rows(const fused::RotaryProblem& problem, const simd::Kernels& kernels = simd::kernels());
}  // namespace cpu

}  // namespace gen::ops
