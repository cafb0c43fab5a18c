// LayerNorm and RMSNorm of rows: after the first pass a row is in the first-level cache.
#include "ops/simd/tables.h"
#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

/// Sum of term(i, lanes) over a row, in as many chains as hide an addition's latency. Terms beyond the end must be zero.
template <class Term>
inline float row_sum(int64_t n, Term term) {
  constexpr int kChains = 4;
  F sum[kChains] = {};
  int64_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes)
    for (int k = 0; k < kChains; ++k) sum[k] += term(i + k * kLanes, Full{});
  for (; i + kLanes <= n; i += kLanes) sum[0] += term(i, Full{});
  if (i < n) sum[1] += term(i, Part{n - i});
  return total((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/// 1 in the lanes that a load fills.
inline F filled(Full) { return splat(1.0F); }
inline F filled(Part part) {
  const float one = 1.0F;
  float mask[kLanes] = {};
  for (int64_t i = 0; i < part.n; ++i) mask[i] = one;
  return load(mask);
}

template <class T>
void row_forward(const T* x, const T* residual, T* sum, T* y, int64_t n, const float* weight,
                 const float* bias, float eps, bool center, float* mean, float* rstd) {
  const T* s = x;
  if (residual) {
    for_lanes(n, [&](int64_t i, auto lanes) {
      lanes.store(sum + i, lanes.load(x + i) + lanes.load(residual + i));
    });
    s = sum;
  }
  const float count = static_cast<float>(n);
  const float m =
      center ? row_sum(n, [&](int64_t i, auto lanes) { return lanes.load(s + i); }) / count : 0.0F;
  const float square = row_sum(n, [&](int64_t i, auto lanes) {
    const F d = (lanes.load(s + i) - m) * filled(lanes);
    return d * d;
  });
  const float r = 1.0F / __builtin_sqrtf(square / count + eps);
  *mean = m;
  *rstd = r;
  for_lanes(n, [&](int64_t i, auto lanes) {
    const F h = (lanes.load(s + i) - m) * r * lanes.load(weight + i);
    lanes.store(y + i, bias ? h + lanes.load(bias + i) : h);
  });
}

/// What a row's gradient needs beside its elements: the means of g and of g h, g = weight dy.
struct RowMeans {
  float gradient, product;
};
template <class T>
inline RowMeans row_means(const T* dy, const T* s, int64_t n, const float* weight, float mean, float rstd,
                          bool center) {
  const float count = static_cast<float>(n);
  const auto gradient = [&](int64_t i, auto lanes) { return lanes.load(dy + i) * lanes.load(weight + i); };
  const float product = row_sum(
      n, [&](int64_t i, auto lanes) { return gradient(i, lanes) * ((lanes.load(s + i) - mean) * rstd); });
  return {center ? row_sum(n, gradient) / count : 0.0F, product / count};
}

/// kRows rows together, so that the sums over rows are read and written once for all of them.
template <int kRows, class T>
inline void rows_backward(const T* dy, const T* dsum, const T* s, T* dx, int64_t n, const float* weight,
                          const float* mean, const float* rstd, bool center, float* dweight, float* dbias) {
  RowMeans means[kRows];
  for (int r = 0; r < kRows; ++r)
    means[r] = row_means(dy + r * n, s + r * n, n, weight, mean[r], rstd[r], center);
  for_lanes(n, [&](int64_t i, auto lanes) {
    const F w = lanes.load(weight + i);
    F by_weight = lanes.load(dweight + i), by_bias = lanes.load(dbias + i);
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = r * n + i;
      const F h = (lanes.load(s + at) - mean[r]) * rstd[r], d = lanes.load(dy + at);
      by_weight += d * h;
      by_bias += d;
      const F by_s = (d * w - means[r].gradient - h * means[r].product) * rstd[r];
      lanes.store(dx + at, dsum ? by_s + lanes.load(dsum + at) : by_s);
    }
    lanes.store(dweight + i, by_weight);
    lanes.store(dbias + i, by_bias);
  });
}

template <class T>
void row_backward(const T* dy, const T* dsum, const T* s, T* dx, int64_t rows, int64_t n, const float* weight,
                  const float* mean, const float* rstd, bool center, float* dweight, float* dbias) {
  constexpr int kTogether = 4;
  int64_t r = 0;
  const auto run = [&]<int kRows>() {
    rows_backward<kRows>(dy + r * n, dsum ? dsum + r * n : nullptr, s + r * n, dx + r * n, n, weight,
                         mean + r, rstd + r, center, dweight, dbias);
    r += kRows;
  };
  while (r + kTogether <= rows) run.template operator()<kTogether>();
  while (r < rows) run.template operator()<1>();
}

}  // namespace

const RowNormKernels<float> kRowNorm{row_forward<float>, row_backward<float>};
const RowNormKernels<Bf16> kRowNormBf16{row_forward<Bf16>, row_backward<Bf16>};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
