// How panels of a packed right operand are cut on this instruction set, and register tiles with them (see gemm.h).
#pragma once

#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

constexpr int kPanelVectors = kLanes == 16 ? 4 : 2;
constexpr int kPanel = kPanelVectors * kLanes;
/// A tail of half a vector is worth its own instructions on the widest registers only.
constexpr int kGrain = kLanes == 16 ? 8 : kLanes;
constexpr int kRows = kLanes == 16 ? 6 : 4;

/// body(Count<R>) for pieces of R rows that cover m.
template <int R>
struct Count {};
template <class Body>
inline void each_rows(int64_t m, Body body) {
  for (; m >= kRows; m -= kRows) body(Count<kRows>{});
  if constexpr (kRows > 4)
    if (m >= 4) {
      body(Count<4>{});
      m -= 4;
    }
  if (m >= 2) {
    body(Count<2>{});
    m -= 2;
  }
  if (m > 0) body(Count<1>{});
}

}  // namespace
}  // namespace gen::ops::simd::GEN_SIMD_NAME
