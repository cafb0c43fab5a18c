// Elements of a tensor as a kernel reads and writes them: float, bfloat16 or float16 in memory, float in arithmetic.
#pragma once

#include <cstdint>
#include <cstring>

#include "gen/ops/flash/host_device.h"
#include "gen/ops/flash/problem.h"
#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace gen::ops::fused {

using flash::DType;

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

template <class To, class From>
GEN_HOST_DEVICE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "bits are copied one to one");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

GEN_HOST_DEVICE float to_float(float x) { return x; }
GEN_HOST_DEVICE float to_float(Bf16 x) { return bits_as<float>(static_cast<uint32_t>(x.bits) << 16); }
GEN_HOST_DEVICE float to_float(F16 x) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(x.bits));
#else
  const uint32_t sign = (x.bits & 0x8000U) << 16, magnitude = x.bits & 0x7fffU;
  // The exponent's bias grows from 15 to 127 by the product, which also normalises what is subnormal.
  const float value = bits_as<float>(magnitude << 13) * 0x1p112F;
  const uint32_t bits = magnitude >= 0x7c00U ? (magnitude << 13) | 0x7f800000U : bits_as<uint32_t>(value);
  return bits_as<float>(bits | sign);
#endif
}

/// Rounds to nearest, ties to even; NaN stays NaN.
template <class T>
GEN_HOST_DEVICE T from_float(float x);
template <>
GEN_HOST_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
GEN_HOST_DEVICE Bf16 from_float<Bf16>(float x) {
  const uint32_t bits = bits_as<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  return {static_cast<uint16_t>(x == x ? rounded : (bits >> 16) | 0x40U)};
}
template <>
GEN_HOST_DEVICE F16 from_float<F16>(float x) {
#if defined(__CUDA_ARCH__)
  return {__half_as_ushort(__float2half_rn(x))};
#else
  const uint32_t bits = bits_as<uint32_t>(x), sign = (bits >> 16) & 0x8000U, magnitude = bits & 0x7fffffffU;
  uint32_t half;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U;
  } else if (magnitude >= 0x477ff000U) {  // 65520, half way to what follows the largest number
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {  // below 2^-14: adding 0.5 leaves the subnormal's bits at the end
    half = bits_as<uint32_t>(bits_as<float>(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    half = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  }
  return {static_cast<uint16_t>(half | sign)};
#endif
}

/// V neighbours, moved by one instruction.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T element[V];
};
template <int V, class T>
GEN_HOST_DEVICE void load(const T* from, float (&to)[V]) {
  const Pack<T, V> pack = *reinterpret_cast<const Pack<T, V>*>(from);
  for (int i = 0; i < V; ++i) to[i] = to_float(pack.element[i]);
}
template <int V, class T>
GEN_HOST_DEVICE void store(T* to, const float (&from)[V]) {
  Pack<T, V> pack;
  for (int i = 0; i < V; ++i) pack.element[i] = from_float<T>(from[i]);
  *reinterpret_cast<Pack<T, V>*>(to) = pack;
}
/// Elements that 16 bytes hold.
template <class T>
inline constexpr int kVector = static_cast<int>(16 / sizeof(T));

inline int64_t bytes_of(DType dtype) { return dtype == DType::f32 ? 4 : 2; }
inline bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

/// x rounded to how it is kept in memory.
template <class T>
GEN_HOST_DEVICE float rounded(float x) {
  return to_float(from_float<T>(x));
}

}  // namespace gen::ops::fused
