// Softmax of score tiles and its gradient: each a few passes over a tile that lies in the caches.
#include "ops/simd/attention.h"

#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

constexpr float kInfinity = __builtin_inff();

/// e^x, and 0 where x is too small for a normal float: a masked score must weigh nothing at all.
inline F exp_or_zero(F x) {
  const F e = exp(x);
  return x < -87.0F ? F{} : e;
}

inline float largest(F v) {
  float m = v[0];
  for (int i = 1; i < kLanes; ++i) m = v[i] > m ? v[i] : m;
  return m;
}

/// Columns in whole vectors.
inline int64_t whole(int64_t columns) { return (columns + kLanes - 1) / kLanes * kLanes; }

inline float row_maximum(const float* s, int64_t columns) {
  F m = splat(-kInfinity);
  for (int64_t c = 0; c < columns; c += kLanes) {
    const F x = load(s + c);
    m = x > m ? x : m;
  }
  return largest(m);
}

/// s = exp(scale * s - shift); the sum.
inline float exponentials(float* s, int64_t columns, float scale, float shift) {
  F sum = {};
  for (int64_t c = 0; c < columns; c += kLanes) {
    const F e = exp_or_zero(load(s + c) * scale - shift);
    store(s + c, e);
    sum += e;
  }
  return total(sum);
}

/// To within 2 units in the last place: a polynomial near zero (Cephes, Moshier 1992), else 1 - 2 / (e^2x + 1).
inline F tanh(F x) {
  const F z = x * x;
  F p = splat(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  return z < 0.390625F ? p * z * x + x : 1.0F - 2.0F / (exp(2.0F * x) + 1.0F);
}

inline float exp_of(float x) { return exp_or_zero(splat(x))[0]; }

void softmax(float* s, int64_t ld, int64_t rows, int64_t columns, float scale, float* max, float* sum,
             float* decay) {
  for (int64_t r = 0; r < rows; ++r, s += ld) {
    for (int64_t c = columns; c < whole(columns); ++c) s[c] = -kInfinity;
    const float here = scale * row_maximum(s, columns);  // scale > 0
    const float m = here > max[r] ? here : max[r];
    const float shift = m == -kInfinity ? 0 : m;
    decay[r] = exp_of(max[r] - shift);
    sum[r] = sum[r] * decay[r] + exponentials(s, columns, scale, shift);
    max[r] = m;
  }
}

template <bool kByColumn>
inline F value_of(const float* vector, int64_t row, int64_t column) {
  return kByColumn ? load(vector + column) : splat(vector[row]);
}

template <bool kByColumn>
inline void weights_and_gradient(float* s, float* ds, int64_t ld, int64_t rows, int64_t columns, float scale,
                                 const float* lse, const float* delta) {
  for (int64_t r = 0; r < rows; ++r, s += ld, ds += ld)
    for (int64_t c = 0; c < columns; c += kLanes) {
      const F p = exp_or_zero(load(s + c) * scale - value_of<kByColumn>(lse, r, c));
      store(s + c, p);
      store(ds + c, p * (load(ds + c) - value_of<kByColumn>(delta, r, c)));
    }
}

void gradient(float* s, float* ds, int64_t ld, int64_t rows, int64_t columns, float scale, const float* lse,
              const float* delta, bool by_column) {
  (by_column ? weights_and_gradient<true> : weights_and_gradient<false>)(s, ds, ld, rows, columns, scale, lse,
                                                                         delta);
}

void dot_rows(const float* x, int64_t ldx, const float* y, int64_t ldy, int64_t rows, int64_t columns,
              float* dot) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    F sum = {};
    for_lanes(columns, [&](int64_t c, auto lanes) { sum += lanes.load(x + c) * lanes.load(y + c); });
    dot[r] = total(sum);
  }
}

void scale_rows(float* x, int64_t ld, int64_t rows, int64_t columns, const float* factor) {
  for (int64_t r = 0; r < rows; ++r, x += ld)
    for (int64_t c = 0; c < columns; c += kLanes) store(x + c, load(x + c) * factor[r]);
}

void multiply(float* x, const float* y, int64_t ld, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ld)
    for (int64_t c = 0; c < columns; c += kLanes) store(x + c, load(x + c) * load(y + c));
}

void softcap(float* s, float* slope, int64_t ld, int64_t rows, int64_t columns, float scale, float cap) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; c += kLanes) {
      const F t = tanh(load(s + r * ld + c) * (scale / cap));
      store(s + r * ld + c, t * cap);
      if (slope != nullptr) store(slope + r * ld + c, 1.0F - t * t);
    }
}

}  // namespace

extern const AttentionKernels kAttention;
const AttentionKernels kAttention{softmax, gradient, dot_rows, scale_rows, multiply, softcap};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
