// A matrix product on one thread for operands that fit the caches: what attention and small networks are made of.
#pragma once

#include <cstdint>

namespace gen::ops::simd {

/// The right operand B [rows, columns], float32, cut into panels of `panel` columns (the last may be narrower, rounded up
/// to `grain` with zeros); a panel of width w holds its rows one after the other, w numbers each.
struct PackedMatrix {
  const float* data = nullptr;
  int64_t rows = 0, columns = 0;
};

struct GemmKernels {
  int64_t panel;  ///< columns that a panel holds
  int64_t grain;  ///< the last panel's width is a multiple of it

  /// C [m, n] (+)= A [m, k] B[k0 : k0 + k, n0 : n0 + n]. A and C row-major with rows lda and ldc apart; n0 is a multiple
  /// of `panel`. Columns of C up to n rounded up to `grain` are written.
  void (*multiply)(const float* a, int64_t lda, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
                   float* c, int64_t ldc, int64_t m, bool accumulate);
  /// B = x [rows, columns], and B = x^T of x [columns, rows]; x's rows are `ld` apart, out holds packed_size() floats.
  void (*pack)(const float* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  void (*pack_bf16)(const uint16_t* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  void (*pack_transposed)(const float* x, int64_t ld, int64_t rows, int64_t columns, float* out);
  void (*pack_transposed_bf16)(const uint16_t* x, int64_t ld, int64_t rows, int64_t columns, float* out);
};

/// Floats that pack() and pack_transposed() fill.
inline int64_t packed_size(const GemmKernels& kernels, int64_t rows, int64_t columns) {
  return rows * ((columns + kernels.grain - 1) / kernels.grain) * kernels.grain;
}

}  // namespace gen::ops::simd
