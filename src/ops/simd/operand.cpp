// Each row of an operand is read once: a tile takes as many rows of it and of A as accumulators fit the registers.
#include "ops/simd/operand.h"

#include <utility>

#include "ops/simd/panel.h"
#include "ops/simd/tables.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

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
void pack(const void* from, int64_t ld, int64_t rows, int64_t columns, float* out) {
  const T* x = static_cast<const T*>(from);
  each_panel(rows, columns, out, [&](int64_t j, int64_t width, int64_t stored, float* panel) {
    for (int64_t r = 0; r < rows; ++r, panel += stored) {
      const T* row = x + r * ld + j;
      for_lanes(width, [&](int64_t c, auto lanes) { lanes.store(panel + c, lanes.load(row + c)); });
      for (int64_t c = width; c < stored; ++c) panel[c] = 0;
    }
  });
}

/// By strips of rows that stay in the first cache while they are read along and written across.
template <class T>
void pack_transposed(const void* from, int64_t ld, int64_t rows, int64_t columns, float* out) {
  constexpr int64_t kStrip = 16;
  const T* x = static_cast<const T*>(from);
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

template <class T>
void widen(const void* from, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  const T* x = static_cast<const T*>(from);
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ldy)
    for_lanes(columns, [&](int64_t c, auto lanes) { lanes.store(y + c, lanes.load(x + c)); });
}

template <class T>
void narrow(const float* x, int64_t ld, int64_t rows, int64_t columns, float factor, void* to, int64_t ldy) {
  T* y = static_cast<T*>(to);
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ldy)
    for_lanes(columns, [&](int64_t c, auto lanes) { lanes.store(y + c, lanes.load(x + c) * factor); });
}

/// Lanes with bit `kBit` of their number set: b[lane] + b[lane ^ kBit]; the others the same of a.
template <int kBit, int... kLane>
inline F fold(F a, F b, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(a, b, ((kLane & kBit) != 0 ? kLanes + kLane : kLane)...) +
         __builtin_shufflevector(a, b, ((kLane & kBit) != 0 ? kLanes + (kLane ^ kBit) : kLane ^ kBit)...);
}

/// Lane i is the sum of x[i]'s lanes.
template <int kBit = kLanes / 2>
inline F sums(F* x) {
  if constexpr (kBit == 0) {
    return x[0];
  } else {
    for (int i = 0; i < kBit; ++i)
      x[i] = fold<kBit>(x[i], x[i + kBit], std::make_integer_sequence<int, kLanes>{});
    return sums<kBit / 2>(x);
  }
}

/// R rows of A by kLanes / R rows of x: a vector of products.
template <int R, class T>
inline void dot_tile(const float* a, int64_t lda, const T* x, int64_t ld, int64_t k, float* c, int64_t ldc) {
  constexpr int kColumns = kLanes / R, kTogether = kColumns < 4 ? kColumns : 4;
  F sum[kLanes] = {};
  // Few rows of x at a time: memory is read in order.
  for (int first = 0; first < kColumns; first += kTogether)
    for_lanes(k, [&](int64_t d, auto lanes) {
      F left[R];
      for (int r = 0; r < R; ++r) left[r] = load(a + r * lda + d);
      for (int j = first; j < first + kTogether; ++j) {
        const F right = lanes.load(x + j * ld + d);
        for (int r = 0; r < R; ++r) sum[r * kColumns + j] += left[r] * right;
      }
    });
  const F products = sums(sum);
  for (int r = 0; r < R; ++r)
    std::memcpy(c + r * ldc, reinterpret_cast<const float*>(&products) + r * kColumns,
                sizeof(float) * kColumns);
}

template <class T>
void multiply_transposed(const float* a, int64_t lda, const void* from, int64_t ld, int64_t k, float* c,
                         int64_t ldc, int64_t m, int64_t n) {
  const T* x = static_cast<const T*>(from);
  for (int64_t first = 0; first < n; first += kLanes) {
    // The last rows are taken together with some before them, which gives these the same numbers again.
    const int64_t j = first + kLanes <= n || n < kLanes ? first : n - kLanes;
    const int64_t columns = n - j < kLanes ? n - j : kLanes;
    int64_t i = 0;
    const auto tiles = [&]<int R>(Count<R>) {
      constexpr int kColumns = kLanes / R;
      for (; i + R <= m && columns >= kColumns; i += R)
        for (int64_t part = 0; part < columns; part += kColumns) {
          const int64_t t = part + kColumns <= columns ? part : columns - kColumns;
          dot_tile<R>(a + i * lda, lda, x + (j + t) * ld, ld, k, c + i * ldc + j + t, ldc);
        }
    };
    tiles(Count<4>{});
    tiles(Count<2>{});
    tiles(Count<1>{});
    for (; i < m; ++i)  // fewer rows of x than a tile takes
      for (int64_t t = 0; t < columns; ++t) {
        F sum = {};
        for_lanes(k, [&](int64_t d, auto lanes) {
          sum += load(a + i * lda + d) * lanes.load(x + (j + t) * ld + d);
        });
        c[i * ldc + j + t] = total(sum);
      }
  }
}

/// R rows by NV vectors of C, of which the last may be read in part. A single row is summed in two chains, as one would
/// wait for its additions.
template <int R, int NV, class Last, class T>
inline void product_tile(const LeftMatrix& a, const T* x, int64_t ld, int64_t k, float* c, int64_t ldc,
                         Last last) {
  constexpr int kChains = R == 1 ? 2 : 1;
  F sum[kChains][R][NV] = {};
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) sum[0][r][v] = load(c + r * ldc + v * kLanes);
  const auto add = [&](int64_t i, int chain) {
    const T* row = x + i * ld;
    F right[NV];
    for (int v = 0; v + 1 < NV; ++v) right[v] = load(row + v * kLanes);
    right[NV - 1] = last.load(row + (NV - 1) * kLanes);
    for (int r = 0; r < R; ++r) {
      const float left = a.data[r * a.row_stride + i * a.column_stride];
      for (int v = 0; v < NV; ++v) sum[chain][r][v] += left * right[v];
    }
  };
  int64_t i = 0;
  for (; i + kChains <= k; i += kChains)
    for (int chain = 0; chain < kChains; ++chain) add(i + chain, chain);
  if (i < k) add(i, 0);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < NV; ++v) {
      for (int chain = 1; chain < kChains; ++chain) sum[0][r][v] += sum[chain][r][v];
      store(c + r * ldc + v * kLanes, sum[0][r][v]);
    }
}

template <int NV, class Last, class T>
void product_rows(LeftMatrix a, const T* x, int64_t ld, int64_t k, float* c, int64_t ldc, int64_t m,
                  Last last) {
  each_rows(m, [&]<int R>(Count<R>) {
    product_tile<R, NV>(a, x, ld, k, c, ldc, last);
    a.data += R * a.row_stride;
    c += R * ldc;
  });
}

template <class T>
void add_product(const LeftMatrix& a, const void* from, int64_t ld, int64_t k, float* c, int64_t ldc,
                 int64_t m, int64_t n) {
  const T* x = static_cast<const T*>(from);
  for (int64_t j = 0; j < n; j += kPanel) {
    const int64_t width = n - j < kPanel ? n - j : kPanel, tail = width % kLanes;
    const auto compute = [&]<int NV>(Count<NV>) {
      if (tail == 0)
        product_rows<NV>(a, x + j, ld, k, c + j, ldc, m, Full{});
      else
        product_rows<NV>(a, x + j, ld, k, c + j, ldc, m, Part{tail});
    };
    const int64_t vectors = (width + kLanes - 1) / kLanes;
    if (vectors == 1) compute(Count<1>{});
    if (vectors == 2) compute(Count<2>{});
    if constexpr (kPanelVectors > 2) {
      if (vectors == 3) compute(Count<3>{});
      if (vectors == 4) compute(Count<4>{});
    }
  }
}

template <class T>
constexpr OperandKernels operands_of() {
  return {sizeof(T),     pack<T>, pack_transposed<T>, widen<T>, narrow<T>, multiply_transposed<T>,
          add_product<T>};
}

}  // namespace

const OperandKernels kOperandF32 = operands_of<float>(), kOperandF16 = operands_of<F16>(),
                     kOperandBf16 = operands_of<Bf16>();

}  // namespace gen::ops::simd::GEN_SIMD_NAME
