// Pairs of 16-bit elements in a register.
#pragma once

#include <type_traits>

#include "gen/ops/fused/element.h"

namespace gen::flash {

using ops::fused::Bf16;
using ops::fused::F16;

/// `low` in bits 0..15; to nearest, ties to even.
template <typename T>
GEN_HOST_DEVICE uint32_t pack(float low, float high) {
#if defined(__CUDA_ARCH__)
  uint32_t pair;
  if constexpr (std::is_same_v<T, Bf16>)
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return static_cast<uint32_t>(ops::fused::from_float<T>(low).bits) |
         static_cast<uint32_t>(ops::fused::from_float<T>(high).bits) << 16;
#endif
}

}  // namespace gen::flash
