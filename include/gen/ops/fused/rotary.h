// Rotary embedding as raw pointers, and its kernel's body.
#pragma once

#include "gen/ops/fused/element.h"
#include "gen/ops/fused/team.h"

namespace gen::ops::fused {

/// Rows of `dim` contiguous elements, addressed by batch, head and position.
struct RotaryProblem {
  int64_t batch = 0, heads = 0, length = 0, dim = 0;
  int64_t pairs = 0;         ///< rotated are the first 2 * pairs elements of a row
  bool interleaved = false;  ///< pairs are (2i, 2i + 1) instead of (i, i + pairs)
  bool inverse = false;      ///< by the opposite angle: the gradient
  DType dtype = DType::f32;
  const void* x = nullptr;
  void* y = nullptr;                             ///< may be x
  int64_t x_strides[3] = {}, y_strides[3] = {};  ///< of batch, head and position, in elements
  const float *cos = nullptr, *sin = nullptr;    ///< [length, pairs], table_batch_stride from batch to batch
  int64_t table_batch_stride = 0;
};

inline constexpr int kRotaryThreads = 256;

/// Threads that a row takes: each moves V elements, or 2 V of the two halves.
template <int V>
GEN_HOST_DEVICE int64_t rotary_rotating(const RotaryProblem& p) {
  return p.interleaved && V > 1 ? 2 * p.pairs / V : p.pairs / V;
}
template <int V>
GEN_HOST_DEVICE int64_t rotary_units(const RotaryProblem& p) {
  return rotary_rotating<V>(p) + (p.x == p.y ? 0 : (p.dim - 2 * p.pairs) / V);
}
template <int V>
int64_t rotary_blocks(const RotaryProblem& p) {
  return (p.batch * p.heads * p.length * rotary_units<V>(p) + kRotaryThreads - 1) / kRotaryThreads;
}
inline bool rotary_vectors(const RotaryProblem& p, int64_t v) {
  const bool whole = (p.interleaved ? 2 * p.pairs : p.pairs) % v == 0 && p.dim % v == 0;
  bool fits = whole && aligned(p.x) && aligned(p.y);
  for (int i = 0; i < 3; ++i) fits = fits && p.x_strides[i] % v == 0 && p.y_strides[i] % v == 0;
  return fits;
}

/// (a, b) turned by the angle whose cosine and sine are c and s.
GEN_HOST_DEVICE void rotate(float& a, float& b, float c, float s) {
  const float turned = a * c - b * s;
  b = b * c + a * s;
  a = turned;
}

template <class T, int V>
GEN_HOST_DEVICE void rotate_unit(const RotaryProblem& p, const T* x, T* y, const float* cos, const float* sin,
                                 int64_t unit) {
  const float sign = p.inverse ? -1.0F : 1.0F;
  if (p.interleaved && V > 1) {
    const int64_t i = unit * V;
    float v[V];
    load<V>(x + i, v);
    for (int k = 0; k + 1 < V; k += 2) rotate(v[k], v[k + 1], cos[(i + k) / 2], sign * sin[(i + k) / 2]);
    store<V>(y + i, v);
    return;
  }
  const int64_t i = unit * V, first = p.interleaved ? 2 * i : i,
                second = p.interleaved ? 2 * i + 1 : i + p.pairs;
  float a[V], b[V];
  load<V>(x + first, a);
  load<V>(x + second, b);
  for (int k = 0; k < V; ++k) rotate(a[k], b[k], cos[i + k], sign * sin[i + k]);
  store<V>(y + first, a);
  store<V>(y + second, b);
}

/// A thread for each unit of each row.
template <class T, int V, class Team>
GEN_HOST_DEVICE void rotary_rows(const Team& team, const RotaryProblem& p) {
  const auto index = static_cast<uint32_t>(team.block() * team.threads() + team.thread());
  const auto units = static_cast<uint32_t>(rotary_units<V>(p)), length = static_cast<uint32_t>(p.length);
  const uint32_t row = index / units, heads = static_cast<uint32_t>(p.heads);
  const int64_t t = row % length, head = row / length % heads, n = row / length / heads;
  if (n >= p.batch) return;
  const T* x = static_cast<const T*>(p.x) + n * p.x_strides[0] + head * p.x_strides[1] + t * p.x_strides[2];
  T* y = static_cast<T*>(p.y) + n * p.y_strides[0] + head * p.y_strides[1] + t * p.y_strides[2];
  const int64_t unit = index % units, rotating = rotary_rotating<V>(p),
                table = n * p.table_batch_stride + t * p.pairs;
  if (unit < rotating) {
    rotate_unit<T, V>(p, x, y, p.cos + table, p.sin + table, unit);
    return;
  }
  float v[V];
  const int64_t i = 2 * p.pairs + (unit - rotating) * V;
  load<V>(x + i, v);
  store<V>(y + i, v);
}

/// The launcher exported by libgen_cuda.so. Returns a cudaError_t.
using RotaryLauncher = int (*)(const RotaryProblem* problem, void* stream);
inline constexpr const char* kRotarySymbol = "gen_cuda_rotary";

}  // namespace gen::ops::fused
