#include "ops/simd/pairs.h"

#include "ops/simd/panel.h"
#include "ops/simd/tables.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
#if defined(__AVX512BF16__)
namespace {

uint32_t paired(Bf16 first, Bf16 second) { return first | static_cast<uint32_t>(second) << 16; }

void pack_pairs(const void* from, int64_t ld, int64_t rows, int64_t columns, float* out) {
  const Bf16* x = static_cast<const Bf16*>(from);
  auto* to = reinterpret_cast<uint32_t*>(out);
  for (int64_t j = 0; j < columns; j += kPanel) {
    const int64_t width = columns - j < kPanel ? columns - j : kPanel;
    const int64_t stored = (width + kGrain - 1) / kGrain * kGrain;
    for (int64_t r = 0; r < rows; r += 2, to += stored) {
      const Bf16 *first = x + r * ld + j, *second = first + ld;
      if (r + 1 < rows)
        for (int64_t c = 0; c < width; ++c) to[c] = paired(first[c], second[c]);
      else
        for (int64_t c = 0; c < width; ++c) to[c] = first[c];
      for (int64_t c = width; c < stored; ++c) to[c] = 0;
    }
  }
}

void pack_pairs_transposed(const void* from, int64_t ld, int64_t rows, int64_t columns, float* out) {
  constexpr int64_t kStrip = 16;
  const Bf16* x = static_cast<const Bf16*>(from);
  auto* to = reinterpret_cast<uint32_t*>(out);
  for (int64_t j = 0; j < columns; j += kPanel) {
    const int64_t width = columns - j < kPanel ? columns - j : kPanel;
    const int64_t stored = (width + kGrain - 1) / kGrain * kGrain;
    for (int64_t r0 = 0; r0 < rows; r0 += kStrip) {
      const int64_t r1 = r0 + kStrip < rows ? r0 + kStrip : rows;
      for (int64_t c = 0; c < width; ++c)
        for (int64_t r = r0; r < r1; ++r) std::memcpy(to + r * stored + c, x + (j + c) * ld + 2 * r, 4);
      for (int64_t c = width; c < stored; ++c)
        for (int64_t r = r0; r < r1; ++r) to[r * stored + c] = 0;
    }
    to += rows * stored;
  }
}

void narrow_pairs(const float* x, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  for (int64_t r = 0; r < rows; ++r, x += ld, y += ldy) {
    auto* to = reinterpret_cast<Bf16*>(y);
    for_lanes(columns, [&](int64_t c, auto lanes) {
      const __m256i half = (__m256i)_mm512_cvtneps_pbh((__m512)lanes.load(x + c));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c), half);  // after the last, zeros
    });
  }
}

void narrow_row_pairs(const float* x, int64_t ld, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  for (int64_t r = 0; r < rows; r += 2, x += 2 * ld, y += ldy)
    for (int64_t c = 0; c < columns; c += kLanes) {
      const F first = load(x + c), second = r + 1 < rows ? load(x + ld + c) : F{};
      const U low = __builtin_convertvector((H)_mm512_cvtneps_pbh((__m512)first), U);
      const U high = __builtin_convertvector((H)_mm512_cvtneps_pbh((__m512)second), U);
      store(y + c, (F)(low | high << 16));
    }
}

}  // namespace

const PairKernels kPairs{multiply_pairs, pack_pairs, pack_pairs_transposed, narrow_pairs, narrow_row_pairs};
#else
const PairKernels kPairs{};
#endif

}  // namespace gen::ops::simd::GEN_SIMD_NAME
