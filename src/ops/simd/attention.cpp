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

/// The first n lanes of v, the rest `fill`.
inline F first_lanes(F v, int64_t n, float fill) {
  for (int i = 0; i < kLanes; ++i) v[i] = i < n ? v[i] : fill;
  return v;
}

inline float row_maximum(const float* s, int64_t columns) {
  F m = splat(-kInfinity);
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    const F x = load(s + c);
    m = x > m ? x : m;
  }
  if (c < columns) {
    const F x = first_lanes(Part{columns - c}.load(s + c), columns - c, -kInfinity);
    m = x > m ? x : m;
  }
  return largest(m);
}

/// s = exp(scale * s - shift); the sum.
inline float exponentials(float* s, int64_t columns, float scale, float shift) {
  F sum = {};
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    const F e = exp_or_zero(load(s + c) * scale - shift);
    store(s + c, e);
    sum += e;
  }
  if (c < columns) {
    const Part part{columns - c};
    const F e = first_lanes(exp_or_zero(part.load(s + c) * scale - shift), part.n, 0);
    part.store(s + c, e);
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
    const float here = scale * row_maximum(s, columns);  // scale > 0
    const float m = here > max[r] ? here : max[r];
    const float shift = m == -kInfinity ? 0 : m;
    decay[r] = exp_of(max[r] - shift);
    sum[r] = sum[r] * decay[r] + exponentials(s, columns, scale, shift);
    max[r] = m;
  }
}

template <bool kByColumn, class Body>
inline void each_vector(int64_t rows, int64_t columns, const float* vector, Body body) {
  for (int64_t r = 0; r < rows; ++r)
    for_lanes(columns, [&](int64_t c, auto lanes) {
      if constexpr (kByColumn)
        body(r, c, lanes, lanes.load(vector + c));
      else
        body(r, c, lanes, splat(vector[r]));
    });
}

template <class Body>
inline void with(Vector vector, int64_t rows, int64_t columns, Body body) {
  if (vector.by_column)
    each_vector<true>(rows, columns, vector.data, body);
  else
    each_vector<false>(rows, columns, vector.data, body);
}

void probabilities(float* s, int64_t ld, int64_t rows, int64_t columns, float scale, Vector lse) {
  with(lse, rows, columns, [&](int64_t r, int64_t c, auto lanes, F shift) {
    lanes.store(s + r * ld + c, exp_or_zero(lanes.load(s + r * ld + c) * scale - shift));
  });
}

void score_gradient(const float* p, float* ds, int64_t ld, int64_t rows, int64_t columns, Vector delta) {
  with(delta, rows, columns, [&](int64_t r, int64_t c, auto lanes, F shift) {
    lanes.store(ds + r * ld + c, lanes.load(p + r * ld + c) * (lanes.load(ds + r * ld + c) - shift));
  });
}

void scale_rows(float* x, int64_t ld, int64_t rows, int64_t columns, const float* factor) {
  for (int64_t r = 0; r < rows; ++r, x += ld)
    for_lanes(columns, [&](int64_t c, auto lanes) { lanes.store(x + c, lanes.load(x + c) * factor[r]); });
}

void multiply(float* x, const float* y, int64_t ld, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ld)
    for_lanes(columns,
              [&](int64_t c, auto lanes) { lanes.store(x + c, lanes.load(x + c) * lanes.load(y + c)); });
}

void softcap(float* s, float* slope, int64_t ld, int64_t rows, int64_t columns, float scale, float cap) {
  for (int64_t r = 0; r < rows; ++r)
    for_lanes(columns, [&](int64_t c, auto lanes) {
      const F t = tanh(lanes.load(s + r * ld + c) * (scale / cap));
      lanes.store(s + r * ld + c, t * cap);
      if (slope != nullptr) lanes.store(slope + r * ld + c, 1.0F - t * t);
    });
}

}  // namespace

extern const AttentionKernels kAttention;
const AttentionKernels kAttention{softmax, probabilities, score_gradient, scale_rows, multiply, softcap};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
