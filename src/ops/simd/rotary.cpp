// Rotary embedding of one head at one position.
#include "ops/simd/tables.h"
#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

template <class T>
void rotate_halves(const T* x, T* y, int64_t pairs, const float* cos, const float* sin, float sign) {
  for_lanes(pairs, [&](int64_t i, auto lanes) {
    const F a = lanes.load(x + i), b = lanes.load(x + pairs + i);
    const F c = lanes.load(cos + i), s = sign * lanes.load(sin + i);
    lanes.store(y + i, a * c - b * s);
    lanes.store(y + pairs + i, b * c + a * s);
  });
}

/// Pairs go through two buffers, one of the first elements and one of the second, between which the rotation is vector
/// code.
template <class T>
void rotate_neighbours(const T* x, T* y, int64_t pairs, const float* cos, const float* sin, float sign) {
  constexpr int64_t kPairs = 64;
  float first[kPairs], second[kPairs];
  T turned[2 * kPairs];
  for (int64_t begin = 0; begin < pairs; begin += kPairs) {
    const int64_t n = pairs - begin < kPairs ? pairs - begin : kPairs;
    for (int64_t i = 0; i < n; ++i) {
      first[i] = to_float(x[2 * (begin + i)]);
      second[i] = to_float(x[2 * (begin + i) + 1]);
    }
    for_lanes(n, [&](int64_t i, auto lanes) {
      const F a = lanes.load(first + i), b = lanes.load(second + i);
      const F c = lanes.load(cos + begin + i), s = sign * lanes.load(sin + begin + i);
      lanes.store(turned + i, a * c - b * s);
      lanes.store(turned + kPairs + i, b * c + a * s);
    });
    for (int64_t i = 0; i < n; ++i) {
      y[2 * (begin + i)] = turned[i];
      y[2 * (begin + i) + 1] = turned[kPairs + i];
    }
  }
}

template <class T>
void rotate(const T* x, T* y, int64_t dim, int64_t pairs, const float* cos, const float* sin,
            bool interleaved, bool inverse) {
  const float sign = inverse ? -1.0F : 1.0F;
  if (interleaved)
    rotate_neighbours(x, y, pairs, cos, sin, sign);
  else
    rotate_halves(x, y, pairs, cos, sin, sign);
  if (x != y) std::memcpy(y + 2 * pairs, x + 2 * pairs, static_cast<size_t>(dim - 2 * pairs) * sizeof(T));
}

}  // namespace

const RotaryKernels<float> kRotary{rotate<float>};
const RotaryKernels<Bf16> kRotaryBf16{rotate<Bf16>};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
