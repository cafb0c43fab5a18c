// Moments, normalisation and gradients of group norm with SiLU: one read (and one write) of memory each.
#include "ops/simd/tables.h"
#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

/// Vectors of channels that are summed side by side, so that each row's loads are neighbours.
constexpr int kBlock = 4;

template <class T, int N, class Lanes>
inline void moments_block(const T* x, int64_t ld, int64_t rows, const float* pivot, float* sum, float* square,
                          Lanes lanes) {
  F p[N], s[N] = {}, q[N] = {};
  for (int k = 0; k < N; ++k) p[k] = lanes.load(pivot + k * kLanes);
  for (int64_t r = 0; r < rows; ++r, x += ld)
    for (int k = 0; k < N; ++k) {
      const F d = lanes.load(x + k * kLanes) - p[k];
      s[k] += d;
      q[k] += d * d;
    }
  for (int k = 0; k < N; ++k) {
    lanes.store(sum + k * kLanes, s[k]);
    lanes.store(square + k * kLanes, q[k]);
  }
}

template <class T>
void moments_rows(const T* x, int64_t ld, int64_t rows, int64_t channels, const float* pivot, float* sum,
                  float* square) {
  int64_t c = 0;
  for (; c + kBlock * kLanes <= channels; c += kBlock * kLanes)
    moments_block<T, kBlock>(x + c, ld, rows, pivot + c, sum + c, square + c, Full{});
  for (; c + kLanes <= channels; c += kLanes)
    moments_block<T, 1>(x + c, ld, rows, pivot + c, sum + c, square + c, Full{});
  if (c < channels) moments_block<T, 1>(x + c, ld, rows, pivot + c, sum + c, square + c, Part{channels - c});
}

template <class T>
void moments_plane(const T* x, int64_t n, float pivot, float* sum, float* square) {
  F s[kBlock] = {}, q[kBlock] = {};
  int64_t i = 0;
  for (; i + kBlock * kLanes <= n; i += kBlock * kLanes)
    for (int k = 0; k < kBlock; ++k) {
      const F d = load(x + i + k * kLanes) - pivot;
      s[k] += d;
      q[k] += d * d;
    }
  float tail_sum = 0, tail_square = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const F d = load(x + i) - pivot;
    s[0] += d;
    q[0] += d * d;
  }
  if (i < n) {
    const F v = Part{n - i}.load(x + i);
    for (int k = 0; k < n - i; ++k) {
      tail_sum += v[k] - pivot;
      tail_square += (v[k] - pivot) * (v[k] - pivot);
    }
  }
  for (int k = 1; k < kBlock; ++k) {
    s[0] += s[k];
    q[0] += q[k];
  }
  *sum = total(s[0]) + tail_sum;
  *square = total(q[0]) + tail_square;
}

template <bool kSilu, class T>
inline void apply(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t channels,
                  const float* scale, const float* shift) {
  for (int64_t r = 0; r < rows; ++r, x += ldx, y += ldy)
    for_lanes(channels, [&](int64_t c, auto lanes) {
      const F u = lanes.load(scale + c) * lanes.load(x + c) + lanes.load(shift + c);
      lanes.store(y + c, kSilu ? u * sigmoid(u) : u);
    });
}

template <class T>
void apply_rows(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t channels,
                const float* scale, const float* shift, bool silu) {
  if (silu)
    apply<true>(x, ldx, y, ldy, rows, channels, scale, shift);
  else
    apply<false>(x, ldx, y, ldy, rows, channels, scale, shift);
}

template <class T>
void apply_plane(const T* x, T* y, int64_t n, float scale, float shift, bool silu) {
  for_lanes(n, [&](int64_t i, auto lanes) {
    const F u = scale * lanes.load(x + i) + shift;
    lanes.store(y + i, silu ? u * sigmoid(u) : u);
  });
}

/// d silu(u) / du = s (1 + u (1 - s)), s = sigmoid(u)
inline F silu_slope(F u) {
  const F s = sigmoid(u);
  return s * (1.0F + u * (1.0F - s));
}

template <bool kSilu, class T, int N, class Lanes>
inline void grad_block(const T* x, int64_t ldx, const T* dy, int64_t ldy, T* du, int64_t rows,
                       const float* scale, const float* shift, const float* gamma, const float* beta,
                       float* sum, float* product, Lanes lanes) {
  F a[N], o[N], g[N], b[N], s[N] = {}, p[N] = {};
  for (int k = 0; k < N; ++k) {
    a[k] = lanes.load(scale + k * kLanes);
    o[k] = lanes.load(shift + k * kLanes);
    g[k] = lanes.load(gamma + k * kLanes);
    b[k] = lanes.load(beta + k * kLanes);
  }
  for (int64_t r = 0; r < rows; ++r, x += ldx, dy += ldy, du += ldx)
    for (int k = 0; k < N; ++k) {
      const F h = a[k] * lanes.load(x + k * kLanes) + o[k];
      F d = lanes.load(dy + k * kLanes);
      if constexpr (kSilu) d *= silu_slope(g[k] * h + b[k]);
      lanes.store(du + k * kLanes, d);
      s[k] += d;
      p[k] += d * h;
    }
  for (int k = 0; k < N; ++k) {
    lanes.store(sum + k * kLanes, s[k]);
    lanes.store(product + k * kLanes, p[k]);
  }
}

template <bool kSilu, class T>
inline void grad(const T* x, int64_t ldx, const T* dy, int64_t ldy, T* du, int64_t rows, int64_t channels,
                 const float* scale, const float* shift, const float* gamma, const float* beta, float* sum,
                 float* product) {
  int64_t c = 0;
  const auto block = [&]<int N>(auto lanes) {
    grad_block<kSilu, T, N>(x + c, ldx, dy + c, ldy, du + c, rows, scale + c, shift + c, gamma + c, beta + c,
                            sum + c, product + c, lanes);
  };
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes) block.template operator()<2>(Full{});
  for (; c + kLanes <= channels; c += kLanes) block.template operator()<1>(Full{});
  if (c < channels) block.template operator()<1>(Part{channels - c});
}

template <class T>
void grad_rows(const T* x, int64_t ldx, const T* dy, int64_t ldy, T* du, int64_t rows, int64_t channels,
               const float* scale, const float* shift, const float* gamma, const float* beta, bool silu,
               float* sum, float* product) {
  if (silu)
    grad<true>(x, ldx, dy, ldy, du, rows, channels, scale, shift, gamma, beta, sum, product);
  else
    grad<false>(x, ldx, dy, ldy, du, rows, channels, scale, shift, gamma, beta, sum, product);
}

template <class T>
void grad_plane(const T* x, const T* dy, T* du, int64_t n, float scale, float shift, float gamma, float beta,
                bool silu, float* sum, float* product) {
  F s = {}, p = {};
  for_lanes(n, [&](int64_t i, auto lanes) {
    const F h = scale * lanes.load(x + i) + shift;
    F d = lanes.load(dy + i);  // zero beyond the end, so that the sums are too
    if (silu) d *= silu_slope(gamma * h + beta);
    lanes.store(du + i, d);
    s += d;
    p += d * h;
  });
  *sum = total(s);
  *product = total(p);
}

template <class T>
void combine_rows(const T* x, T* dx, int64_t ld, int64_t rows, int64_t channels, const float* a,
                  const float* b, const float* d) {
  for (int64_t r = 0; r < rows; ++r, x += ld, dx += ld)
    for_lanes(channels, [&](int64_t c, auto lanes) {
      lanes.store(dx + c, lanes.load(a + c) * lanes.load(dx + c) + lanes.load(b + c) * lanes.load(x + c) +
                              lanes.load(d + c));
    });
}

template <class T>
void combine_plane(const T* x, T* dx, int64_t n, float a, float b, float d) {
  for_lanes(n, [&](int64_t i, auto lanes) {
    lanes.store(dx + i, a * lanes.load(dx + i) + b * lanes.load(x + i) + d);
  });
}

template <class T>
constexpr GroupNormKernels<T> table() {
  return {moments_rows<T>, moments_plane<T>, apply_rows<T>,   apply_plane<T>,
          grad_rows<T>,    grad_plane<T>,    combine_rows<T>, combine_plane<T>};
}

}  // namespace

extern const GemmKernels kGemm;
extern const AttentionKernels kAttention;
extern const Kernels kKernels;
const Kernels kKernels{.instruction_set = GEN_SIMD_TEXT,
                       .group_norm = table<float>(),
                       .group_norm_bf16 = table<Bf16>(),
                       .gemm = &kGemm,
                       .operands = {&kOperandF32, &kOperandF16, &kOperandBf16},
                       .pairs = &kPairs,
                       .attention = &kAttention,
                       .row_norm = &kRowNorm,
                       .row_norm_bf16 = &kRowNormBf16,
                       .rotary = &kRotary,
                       .rotary_bf16 = &kRotaryBf16,
                       .adam = &kAdam};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
