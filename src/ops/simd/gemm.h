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

/// The left operand: element (i, p) is data[i * row_stride + p * column_stride], so a transposed matrix costs nothing.
struct LeftMatrix {
  const float* data;
  int64_t row_stride, column_stride = 1;
};

struct GemmKernels {
  int64_t panel;  ///< columns that a panel holds
  int64_t grain;  ///< the last panel's width is a multiple of it
  int64_t lanes;  ///< floats of a vector

  /// C [m, n] (+)= A [m, k] B[k0 : k0 + k, n0 : n0 + n]. C is row-major with rows ldc apart; n0 is a multiple of `panel`.
  void (*multiply)(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
                   float* c, int64_t ldc, int64_t m, bool accumulate);
};

/// n rounded up to panels: C then has room for the whole of the last one, which saves a copy.
inline int64_t whole_panels(const GemmKernels& kernels, int64_t n) {
  return (n + kernels.panel - 1) / kernels.panel * kernels.panel;
}

/// Floats that OperandKernels::pack and pack_transposed fill.
inline int64_t packed_size(const GemmKernels& kernels, int64_t rows, int64_t columns) {
  return rows * ((columns + kernels.grain - 1) / kernels.grain) * kernels.grain;
}

}  // namespace gen::ops::simd
