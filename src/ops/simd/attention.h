// What attention does with tiles of scores between its matrix products, on float32 tiles with rows `ld` apart. They
// work in whole vectors: rows (and what is given for each column) have room up to a multiple of GemmKernels::lanes.
#pragma once

#include <cstdint>

namespace gen::ops::simd {

struct AttentionKernels {
  /// Online softmax (Milakov & Gimelshein 2018). With x = scale * s: max[r] = max(max[r], max_c x), s = exp(x - max),
  /// sum[r] = sum[r] * decay[r] + sum_c s, decay[r] = exp(old max - new max). A row of -infinity gives zeros.
  void (*softmax)(float* s, int64_t ld, int64_t rows, int64_t columns, float scale, float* max, float* sum,
                  float* decay);
  /// s = exp(scale * s - lse), then ds = s * (ds - delta). lse and delta are for each row, or for each column.
  void (*gradient)(float* s, float* ds, int64_t ld, int64_t rows, int64_t columns, float scale,
                   const float* lse, const float* delta, bool by_column);
  /// dot[r] = x[r] . y[r]
  void (*dot_rows)(const float* x, int64_t ldx, const float* y, int64_t ldy, int64_t rows, int64_t columns,
                   float* dot);
  /// x[r] *= factor[r]
  void (*scale_rows)(float* x, int64_t ld, int64_t rows, int64_t columns, const float* factor);
  /// x *= y
  void (*multiply)(float* x, const float* y, int64_t ld, int64_t rows, int64_t columns);
  /// s = cap * tanh(scale * s / cap), and slope = 1 - tanh^2 where it is not null.
  void (*softcap)(float* s, float* slope, int64_t ld, int64_t rows, int64_t columns, float scale, float cap);
};

}  // namespace gen::ops::simd
