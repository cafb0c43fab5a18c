// What each file of kernels gives to its instruction set's kKernels.
#pragma once

#include "ops/simd/kernels.h"

namespace gen::ops::simd::GEN_SIMD_NAME {

extern const RowNormKernels<float> kRowNorm;
extern const RowNormKernels<Bf16> kRowNormBf16;
extern const RotaryKernels<float> kRotary;
extern const RotaryKernels<Bf16> kRotaryBf16;
extern const AdamKernels kAdam;
extern const PairKernels kPairs;  ///< null where there are no such instructions
void multiply_pairs(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
                    float* c, int64_t ldc, int64_t m, bool accumulate);
extern const OperandKernels kOperandF32, kOperandF16, kOperandBf16;

}  // namespace gen::ops::simd::GEN_SIMD_NAME
