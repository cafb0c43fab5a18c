// Matrices as tensors hold them: rows of float32, float16 or bfloat16, `ld` elements apart. They are brought into the form
// that a product wants, or multiplied where they lie; arithmetic is in float32.
#pragma once

#include "ops/simd/gemm.h"

namespace gen::ops::simd {

struct OperandKernels {
  int64_t element_bytes;

  /// B = x [rows, columns], and B = x^T of x [columns, rows], as a PackedMatrix; out holds packed_size() floats.
  void (*pack)(const void* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  void (*pack_transposed)(const void* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  /// y = x, its rows ldy apart.
  void (*widen)(const void* x, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy);
  /// y = factor x, rounded to nearest, ties to even.
  void (*narrow)(const float* x, int64_t ld, int64_t rows, int64_t columns, float factor, void* y,
                 int64_t ldy);

  /// C [m, n] = A x^T of A [m, k] and x [n, k]. Rows of A have room up to whole vectors, filled with zeros.
  void (*multiply_transposed)(const float* a, int64_t lda, const void* x, int64_t ld, int64_t k, float* c,
                              int64_t ldc, int64_t m, int64_t n);
  /// C [m, n] += A x of A [m, k] and x [k, n]. Rows of C have room up to whole vectors.
  void (*add_product)(const LeftMatrix& a, const void* x, int64_t ld, int64_t k, float* c, int64_t ldc,
                      int64_t m, int64_t n);
};

}  // namespace gen::ops::simd
