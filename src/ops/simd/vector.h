// Vectors of GEN_SIMD_LANES floats in the compilers' own vector extension. Everything is static: each
// instruction set's file has its own.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE__)
#include <immintrin.h>
#endif

#include "ops/simd/kernels.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

constexpr int kLanes = GEN_SIMD_LANES;
using F = float __attribute__((vector_size(4 * kLanes)));
using I = int32_t __attribute__((vector_size(4 * kLanes)));
using U = uint32_t __attribute__((vector_size(4 * kLanes)));
using H = uint16_t __attribute__((vector_size(2 * kLanes)));

inline float to_float(float x) { return x; }
inline float to_float(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline F splat(float x) { return F{} + x; }

inline F widen(H half) { return (F)(__builtin_convertvector(half, U) << 16); }
/// Rounds to nearest, ties to even; NaN stays NaN.
inline H narrow(F x) {
  const U bits = (U)x;
  const U rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const U nan = (bits >> 16) | 0x40U;
  return __builtin_convertvector(x == x ? rounded : nan, H);
}

inline F load(const float* p) {
  F v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline F load(const Bf16* p) {
  H v;
  std::memcpy(&v, p, sizeof v);
  return widen(v);
}
inline void store(float* p, F v) { std::memcpy(p, &v, sizeof v); }
inline void store(Bf16* p, F v) {
  const H half = narrow(v);
  std::memcpy(p, &half, sizeof half);
}

/// All lanes, or the first `n` of them with zeros after.
struct Full {
  template <class T>
  F load(const T* p) const {
    return GEN_SIMD_NAME::load(p);
  }
  template <class T>
  void store(T* p, F v) const {
    GEN_SIMD_NAME::store(p, v);
  }
};
struct Part {
  int64_t n;
  template <class T>
  F load(const T* p) const {
    T padded[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) padded[i] = p[i];
    return GEN_SIMD_NAME::load(padded);
  }
  template <class T>
  void store(T* p, F v) const {
    T padded[kLanes];
    GEN_SIMD_NAME::store(padded, v);
    for (int64_t i = 0; i < n; ++i) p[i] = padded[i];
  }
};

/// body(i, lanes) for every vector of 0..n-1.
template <class Body>
inline void for_lanes(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, Full{});
  if (i < n) body(i, Part{n - i});
}

inline float total(F v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

inline F square_root(F x) {
#if defined(__AVX512F__)
  return (F)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__)
  return (F)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE__)
  return (F)_mm_sqrt_ps((__m128)x);
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

/// e^x to within 2 units in the last place, x clamped to [-87, 88]: 2^n times a polynomial in x - n ln 2
/// (Cephes, Moshier 1992).
inline F exp(F x) {
  x = x < -87.0F ? splat(-87.0F) : x;
  x = x > 88.0F ? splat(88.0F) : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const F shifted = x * 1.44269504F + kRound;
  const F n = shifted - kRound;
  const F r = x - n * 0.693359375F - n * -2.12194440e-4F;
  F p = splat(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const I power = ((I)shifted << 23) + (127 << 23);  // the low bits of `shifted` are n
  return p * (F)power;
}

inline F sigmoid(F x) { return 1.0F / (1.0F + exp(-x)); }

}  // namespace
}  // namespace gen::ops::simd::GEN_SIMD_NAME
