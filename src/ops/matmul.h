// Matrix products of float32 on the CPU by the kernels of simd/gemm.h, for the parts of small networks.
#pragma once

#include "ops/buffer.h"
#include "ops/simd/kernels.h"

namespace gen::ops::cpu {

/// B [k, n] as it lies in memory: B(p, j) = data[p * ld + j], or data[j * ld + p] where `transposed`.
struct RightMatrix {
  const float* data;
  int64_t ld;
  bool transposed = false;
};

/// C [m, n] = A [m, k] B, C's rows ldc apart. Each panel of B is packed where it is used, and outside a parallel region
/// the panels are shared among the threads. The result does not depend on their number.
void matmul(const simd::LeftMatrix& a, const RightMatrix& b, float* c, int64_t ldc, int64_t m, int64_t n,
            int64_t k, const simd::Kernels& kernels = simd::kernels());

/// B [k, n] packed once, for many products that are each one thread's.
class PackedRight {
 public:
  PackedRight(const RightMatrix& b, int64_t k, int64_t n);
  /// C [m, n] = A [m, k] B
  void multiply(const simd::LeftMatrix& a, float* c, int64_t ldc, int64_t m) const;

 private:
  Buffer packed_;
  simd::PackedMatrix matrix_;
};

}  // namespace gen::ops::cpu
