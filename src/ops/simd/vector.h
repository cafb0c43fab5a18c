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

/// As fused::to_float.
inline float to_float(F16 x) {
  const uint32_t magnitude = x.bits & 0x7fffU, shifted = magnitude << 13;
  float value;
  std::memcpy(&value, &shifted, sizeof value);
  value *= 0x1p112F;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (magnitude >= 0x7c00U ? shifted | 0x7f800000U : bits) | (x.bits & 0x8000U) << 16;
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

/// As fused::to_float and from_float: float16 without instructions for it.
inline F widen_f16(H half) {
  const U bits = __builtin_convertvector(half, U), magnitude = bits & 0x7fffU;
  // The exponent's bias grows from 15 to 127 by the product, which also normalises what is subnormal.
  const U finite = (U)((F)(magnitude << 13) * 0x1p112F);
  return (F)((magnitude >= 0x7c00U ? (magnitude << 13) | 0x7f800000U : finite) | (bits & 0x8000U) << 16);
}
inline H narrow_f16(F x) {
  const U bits = (U)x, magnitude = bits & 0x7fffffffU;
  const U subnormal =
      (U)((F)magnitude + 0.5F) - 0x3f000000U;  // below 2^-14: its bits are at the end of the sum
  const U normal = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  U half = magnitude < 0x38800000U ? subnormal : normal;
  half =
      magnitude >= 0x477ff000U ? U{} + 0x7c00U : half;  // 65520, half way to what follows the largest number
  half = magnitude > 0x7f800000U ? U{} + 0x7e00U : half;
  return __builtin_convertvector(half | ((bits >> 16) & 0x8000U), H);
}
inline F load(const F16* p) {
#if defined(__AVX512F__)
  return (F)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return (F)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  H v;
  std::memcpy(&v, p, sizeof v);
  return widen_f16(v);
#endif
}
inline void store(F16* p, F v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#else
  const H half = narrow_f16(v);
  std::memcpy(p, &half, sizeof half);
#endif
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
#if defined(__AVX512F__)
  __mmask16 mask() const { return static_cast<__mmask16>((1U << n) - 1); }
  F load(const float* p) const { return (F)_mm512_maskz_loadu_ps(mask(), p); }
  F load(const Bf16* p) const { return widen((H)_mm256_maskz_loadu_epi16(mask(), p)); }
  F load(const F16* p) const { return (F)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask(), p)); }
  void store(float* p, F v) const { _mm512_mask_storeu_ps(p, mask(), (__m512)v); }
  void store(Bf16* p, F v) const { _mm256_mask_storeu_epi16(p, mask(), (__m256i)narrow(v)); }
  void store(F16* p, F v) const {
    _mm256_mask_storeu_epi16(p, mask(), _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
  }
#else
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
#endif
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
