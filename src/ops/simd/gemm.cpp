// Register tiles of C: R rows by up to four vectors (AVX-512: 6 x 64 floats, 24 of the 32 registers), so that each load of
// B serves R multiplications and each broadcast of A four.
#include "ops/simd/gemm.h"

#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

constexpr int kPanelVectors = kLanes == 16 ? 4 : 2;
constexpr int kPanel = kPanelVectors * kLanes;
/// A tail of half a vector is worth its own instructions on the widest registers only.
constexpr int kGrain = kLanes == 16 ? 8 : kLanes;
constexpr int kRows = kLanes == 16 ? 6 : 4;

using Half = float __attribute__((vector_size(4 * kGrain)));

/// `NV` vectors and, if `kTail`, a half one.
template <int R, int NV, bool kTail>
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
      for (int v = 0; v < NV; ++v) sum[r][v] += s * x[v];
      if constexpr (kTail) half[r] += s * y;
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < NV; ++v) store(c + r * ldc + v * kLanes, sum[r][v]);
    if constexpr (kTail) std::memcpy(c + r * ldc + NV * kLanes, &half[r], sizeof(Half));
  }
}

template <int R>
struct Count {};

template <int NV, bool kTail>
void rows(LeftMatrix a, const float* b, int64_t k, float* c, int64_t ldc, int64_t m, bool accumulate) {
  const auto next = [&]<int R>(Count<R>) {
    tile<R, NV, kTail>(a, b, k, c, ldc, accumulate);
    m -= R;
    a.data += R * a.row_stride;
    c += R * ldc;
  };
  while (m >= kRows) next(Count<kRows>{});
  if constexpr (kRows > 4)
    if (m >= 4) next(Count<4>{});
  if (m >= 2) next(Count<2>{});
  if (m > 0) next(Count<1>{});
}

using Rows = void (*)(LeftMatrix, const float*, int64_t, float*, int64_t, int64_t, bool);
/// By the panel's width in grains.
template <bool kHalves = (kGrain < kLanes)>
constexpr Rows rows_of(int64_t grains) {
  if constexpr (kHalves) {
    constexpr Rows table[] = {nullptr,       rows<0, true>,  rows<1, false>, rows<1, true>, rows<2, false>,
                              rows<2, true>, rows<3, false>, rows<3, true>,  rows<4, false>};
    return table[grains];
  } else {
    constexpr Rows table[] = {nullptr, rows<1, false>, rows<2, false>};
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

void multiply(const LeftMatrix& a, const PackedMatrix& b, int64_t k0, int64_t k, int64_t n0, int64_t n,
              float* c, int64_t ldc, int64_t m, bool accumulate) {
  for (int64_t j = n0; j < n0 + n; j += kPanel) {
    const int64_t stored = b.columns - j < kPanel ? (b.columns - j + kGrain - 1) / kGrain * kGrain : kPanel;
    const int64_t width = n0 + n - j;
    const float* panel = b.data + j * b.rows + k0 * stored;
    const Rows compute = rows_of(stored / kGrain);
    if (width < stored)
      narrow(compute, a, panel, k, c + (j - n0), ldc, m, width, accumulate);
    else
      compute(a, panel, k, c + (j - n0), ldc, m, accumulate);
  }
}

/// body(panel's first column, its columns, its stored width, where it is stored)
template <class Body>
void each_panel(int64_t rows, int64_t columns, float* out, Body body) {
  for (int64_t j = 0; j < columns; j += kPanel) {
    const int64_t width = columns - j < kPanel ? columns - j : kPanel;
    const int64_t stored = (width + kGrain - 1) / kGrain * kGrain;
    body(j, width, stored, out + j * rows);
  }
}

template <class T>
void pack(const T* x, int64_t ld, int64_t rows, int64_t columns, float* out) {
  each_panel(rows, columns, out, [&](int64_t j, int64_t width, int64_t stored, float* panel) {
    for (int64_t r = 0; r < rows; ++r, panel += stored) {
      const T* row = x + r * ld + j;
      for (int64_t c = 0; c < width; ++c) panel[c] = to_float(row[c]);
      for (int64_t c = width; c < stored; ++c) panel[c] = 0;
    }
  });
}

/// By strips of rows that stay in the first cache while they are read along and written across.
template <class T>
void pack_transposed(const T* x, int64_t ld, int64_t rows, int64_t columns, float* out) {
  constexpr int64_t kStrip = 16;
  each_panel(rows, columns, out, [&](int64_t j, int64_t width, int64_t stored, float* panel) {
    for (int64_t r0 = 0; r0 < rows; r0 += kStrip) {
      const int64_t r1 = r0 + kStrip < rows ? r0 + kStrip : rows;
      for (int64_t c = 0; c < width; ++c)
        for (int64_t r = r0; r < r1; ++r) panel[r * stored + c] = to_float(x[(j + c) * ld + r]);
      for (int64_t c = width; c < stored; ++c)
        for (int64_t r = r0; r < r1; ++r) panel[r * stored + c] = 0;
    }
  });
}

}  // namespace

extern const GemmKernels kGemm;
const GemmKernels kGemm{
    kPanel, kGrain, kLanes, multiply, pack<float>, pack<Bf16>, pack_transposed<float>, pack_transposed<Bf16>};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
