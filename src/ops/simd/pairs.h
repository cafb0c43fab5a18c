// Products of bfloat16 by instructions that multiply two neighbours at once and add in float32 (vdpbf16ps): twice the
// numbers in a second. A pair takes the place of a float in gemm.h's operands, which is how it is stored here.
#pragma once

#include "ops/simd/gemm.h"

namespace gen::ops::simd {

struct PairKernels {
  /// As GemmKernels::multiply; k0, k and the rows of B count pairs.
  void (*multiply)(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
                   float* c, int64_t ldc, int64_t m, bool accumulate);
  /// B = x [rows, columns] of bfloat16, rows 2r and 2r + 1 paired (an odd last one with zeros).
  void (*pack)(const void* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  /// B = x^T of x [columns, 2 rows], neighbours of a row of x paired.
  void (*pack_transposed)(const void* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  /// y = x rounded, neighbours of a row paired (an odd last one with zero); rows of y ldy pairs apart.
  void (*narrow)(const float* x, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy);
  /// y = x rounded, rows 2r and 2r + 1 paired (an odd last one with zeros). Works in whole vectors.
  void (*narrow_rows)(const float* x, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy);
};

}  // namespace gen::ops::simd
