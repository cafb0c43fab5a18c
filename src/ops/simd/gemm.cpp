// Register tiles of C: R rows by up to four vectors (AVX-512: 6 x 64 floats, 24 of the 32 registers), so that each load of
// B serves R multiplications and each broadcast of A four.
#include "ops/simd/gemm.h"

#include "ops/simd/panel.h"
#include "ops/simd/tables.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

using Half = float __attribute__((vector_size(4 * kGrain)));

/// How a product is added: of numbers, or of pairs of bfloat16 that are stored as numbers.
struct Numbers {
  template <class V>
  static void add(V& sum, float a, V b) {
    sum += a * b;
  }
};
#if defined(__AVX512BF16__)
struct Pairs {
  static void add(F& sum, float a, F b) {
    sum = (F)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_ps(a), (__m512bh)b);
  }
  static void add(Half& sum, float a, Half b) {
    sum = (Half)_mm256_dpbf16_ps((__m256)sum, (__m256bh)_mm256_set1_ps(a), (__m256bh)b);
  }
};
#endif

/// `NV` vectors and, if `kTail`, a half one.
template <class Element, int R, int NV, bool kTail>
inline void tile(const LeftMatrix& left, const float* b, int64_t k, float* c, int64_t ldc, bool accumulate) {
  constexpr int kWidth = NV * kLanes + (kTail ? kGrain : 0);
  const float* a = left.data;
  const int64_t lda = left.row_stride, step = left.column_stride;
  F sum[R][NV > 0 ? NV : 1] = {};
  Half half[R] = {};
  if (accumulate)
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < NV; ++v) sum[r][v] = load(c + r * ldc + v * kLanes);
      if constexpr (kTail) std::memcpy(&half[r], c + r * ldc + NV * kLanes, sizeof(Half));
    }
  for (int64_t i = 0; i < k; ++i, b += kWidth, a += step) {
    F x[NV > 0 ? NV : 1];
    Half y = {};
    for (int v = 0; v < NV; ++v) x[v] = load(b + v * kLanes);
    if constexpr (kTail) std::memcpy(&y, b + NV * kLanes, sizeof(Half));
    for (int r = 0; r < R; ++r) {
      const float s = a[r * lda];
      for (int v = 0; v < NV; ++v) Element::add(sum[r][v], s, x[v]);
      if constexpr (kTail) Element::add(half[r], s, y);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < NV; ++v) store(c + r * ldc + v * kLanes, sum[r][v]);
    if constexpr (kTail) std::memcpy(c + r * ldc + NV * kLanes, &half[r], sizeof(Half));
  }
}

template <class Element, int NV, bool kTail>
void rows(LeftMatrix a, const float* b, int64_t k, float* c, int64_t ldc, int64_t m, bool accumulate) {
  each_rows(m, [&]<int R>(Count<R>) {
    tile<Element, R, NV, kTail>(a, b, k, c, ldc, accumulate);
    a.data += R * a.row_stride;
    c += R * ldc;
  });
}

using Rows = void (*)(LeftMatrix, const float*, int64_t, float*, int64_t, int64_t, bool);
/// By the panel's width in grains.
template <class Element, bool kHalves = (kGrain < kLanes)>
constexpr Rows rows_of(int64_t grains) {
  if constexpr (kHalves) {
    constexpr Rows table[] = {nullptr,
                              rows<Element, 0, true>,
                              rows<Element, 1, false>,
                              rows<Element, 1, true>,
                              rows<Element, 2, false>,
                              rows<Element, 2, true>,
                              rows<Element, 3, false>,
                              rows<Element, 3, true>,
                              rows<Element, 4, false>};
    return table[grains];
  } else {
    constexpr Rows table[] = {nullptr, rows<Element, 1, false>, rows<Element, 2, false>};
    return table[grains];
  }
}

/// C [m, width], where the panel is wider: by way of a strip that has room for all of it.
void narrow(Rows compute, LeftMatrix a, const float* panel, int64_t k, float* c, int64_t ldc, int64_t m,
            int64_t width, bool accumulate) {
  float strip[kRows * kPanel];
  for (int64_t i = 0; i < m; i += kRows, c += kRows * ldc, a.data += kRows * a.row_stride) {
    const int64_t height = m - i < kRows ? m - i : kRows;
    if (accumulate)
      for (int64_t r = 0; r < height; ++r)
        for (int64_t j = 0; j < width; ++j) strip[r * kPanel + j] = c[r * ldc + j];
    compute(a, panel, k, strip, kPanel, height, accumulate);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t j = 0; j < width; ++j) c[r * ldc + j] = strip[r * kPanel + j];
  }
}

template <class Element>
void multiply_elements(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0,
                       int64_t n, float* c, int64_t ldc, int64_t m, bool accumulate) {
  for (int64_t j = n0; j < n0 + n; j += kPanel) {
    const int64_t stored = b.columns - j < kPanel ? (b.columns - j + kGrain - 1) / kGrain * kGrain : kPanel;
    const int64_t width = n0 + n - j;
    const float* panel = b.data + j * b.rows + k0 * stored;
    const Rows compute = rows_of<Element>(stored / kGrain);
    if (width < stored)
      narrow(compute, a, panel, k, c + (j - n0), ldc, m, width, accumulate);
    else
      compute(a, panel, k, c + (j - n0), ldc, m, accumulate);
  }
}

}  // namespace

extern const GemmKernels kGemm;
const GemmKernels kGemm{kPanel, kGrain, kLanes, multiply_elements<Numbers>};
#if defined(__AVX512BF16__)
void multiply_pairs(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
                    float* c, int64_t ldc, int64_t m, bool accumulate) {
  multiply_elements<Pairs>(a, b, k0, k, n0, n, c, ldc, m, accumulate);
}
#endif

}  // namespace gen::ops::simd::GEN_SIMD_NAME
