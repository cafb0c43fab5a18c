// What each file of kernels gives to its instruction set's kKernels.
#pragma once

#include "ops/simd/kernels.h"

namespace gen::ops::simd::GEN_SIMD_NAME {

extern const RowNormKernels<float> kRowNorm;
extern const RowNormKernels<Bf16> kRowNormBf16;
extern const RotaryKernels<float> kRotary;
extern const RotaryKernels<Bf16> kRotaryBf16;
extern const AdamKernels kAdam;
extern const OperandKernels kOperandF32, kOperandF16, kOperandBf16;

}  // namespace gen::ops::simd::GEN_SIMD_NAME
