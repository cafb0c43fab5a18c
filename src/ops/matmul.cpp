#include "ops/matmul.h"

#include <algorithm>

#include "gen/core/parallel.h"

namespace gen::ops::cpu {
namespace {

/// Columns [j, j + columns) of B.
void pack(const RightMatrix& b, int64_t j, int64_t k, int64_t columns, float* out,
          const simd::Kernels& kernels) {
  const auto& floats = *kernels.operands[0];
  if (b.transposed)
    floats.pack_transposed(b.data + j * b.ld, b.ld, k, columns, out);
  else
    floats.pack(b.data + j, b.ld, k, columns, out);
}

}  // namespace

void matmul(const simd::LeftMatrix& a, const RightMatrix& b, float* c, int64_t ldc, int64_t m, int64_t n,
            int64_t k, const simd::Kernels& kernels) {
  const auto& gemm = *kernels.gemm;
  const int64_t panels = (n + gemm.panel - 1) / gemm.panel;
  parallel_for(0, panels, 1, [&](int64_t first, int64_t last) {
    const Buffer packed(simd::packed_size(gemm, k, gemm.panel));
    for (int64_t j = first * gemm.panel; j < std::min(n, last * gemm.panel); j += gemm.panel) {
      const simd::PackedMatrix panel{packed.data(), k, std::min(gemm.panel, n - j)};
      pack(b, j, k, panel.columns, packed.data(), kernels);
      gemm.multiply(a, panel, 0, k, 0, panel.columns, c + j, ldc, m, /*accumulate=*/false);
    }
  });
}

PackedRight::PackedRight(const RightMatrix& b, int64_t k, int64_t n)
    : packed_(packed_size(*simd::kernels().gemm, k, n)), matrix_{packed_.data(), k, n} {
  pack(b, 0, k, n, packed_.data(), simd::kernels());
}

void PackedRight::multiply(const simd::LeftMatrix& a, float* c, int64_t ldc, int64_t m) const {
  simd::kernels().gemm->multiply(a, matrix_, 0, matrix_.rows, 0, matrix_.columns, c, ldc, m,
                                 /*accumulate=*/false);
}

}  // namespace gen::ops::cpu
