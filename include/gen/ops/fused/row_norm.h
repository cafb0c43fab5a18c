// LayerNorm and RMSNorm over rows as raw pointers, and their kernels' bodies.
#pragma once

#include <cmath>

#include "gen/ops/fused/element.h"
#include "gen/ops/fused/team.h"

namespace gen::ops::fused {

/// s = x + residual; y = weight (s - mean) rstd + bias, mean 0 where not centered (RMSNorm). Rows are contiguous. Null
/// where absent: without a residual s = x, kept by the caller.
struct RowNormProblem {
  int64_t rows = 0, width = 0;
  bool center = true;
  DType dtype = DType::f32;  ///< of x, residual, sum, y and their gradients
  float eps = 1e-5F;
  const void *x = nullptr, *residual = nullptr;
  const float *weight = nullptr, *bias = nullptr;  ///< [width]; only the bias may be null
  void *sum = nullptr, *y = nullptr;
  float *mean = nullptr, *rstd = nullptr;      ///< [rows]
  const void *dy = nullptr, *dsum = nullptr;   ///< backward's inputs; dsum may be null
  void* dx = nullptr;                          ///< the gradient of x and of residual alike
  float *dweight = nullptr, *dbias = nullptr;  ///< [width]
  int64_t slices = 1;                          ///< pieces of the rows that dweight and dbias are summed over
  float* partial = nullptr;                    ///< work space [slices, 2, width]
};

inline constexpr int kColumnThreads = 256;  ///< 32 columns beside each other, 8 rows at once

/// Threads of a block that has one row: about a vector each.
inline int row_norm_threads(int64_t width, int64_t v) {
  const int64_t vectors = (width + v - 1) / v, threads = (vectors + kWarp - 1) / kWarp * kWarp;
  return static_cast<int>(threads > 512 ? 512 : threads);
}
inline int64_t row_norm_slices(int64_t rows, int64_t width) {
  constexpr int64_t kBlocks = 512, kLeast = 32;
  const int64_t columns = (width + kWarp - 1) / kWarp, wanted = (kBlocks + columns - 1) / columns;
  const int64_t most = (rows + kLeast - 1) / kLeast;
  return wanted < most ? wanted : (most > 1 ? most : 1);
}
inline bool row_norm_vectors(const RowNormProblem& p, int64_t v) {
  bool fits = p.width % v == 0;
  for (const void* pointer : {p.x, p.residual, static_cast<const void*>(p.sum), static_cast<const void*>(p.y),
                              p.dy, p.dsum, static_cast<const void*>(p.dx)})
    fits = fits && aligned(pointer);
  return fits;
}

/// A block a row. Three passes of which the second and third find the row in cache.
template <class T, int V, class Team>
GEN_HOST_DEVICE void row_norm_forward(const Team& team, const RowNormProblem& p, BlockSumShared& shared) {
  const int64_t row = team.block(), offset = row * p.width, step = int64_t{team.threads()} * V;
  const T* s = static_cast<const T*>(p.residual ? p.sum : p.x) + offset;
  const float count = static_cast<float>(p.width);
  float total = 0;
  for (int64_t i = int64_t{team.thread()} * V; i < p.width; i += step) {
    float v[V];
    load<V>(static_cast<const T*>(p.x) + offset + i, v);
    if (p.residual) {
      float r[V];
      load<V>(static_cast<const T*>(p.residual) + offset + i, r);
      for (int k = 0; k < V; ++k) v[k] = rounded<T>(v[k] + r[k]);
      store<V>(static_cast<T*>(p.sum) + offset + i, v);  // each thread reads back what it wrote itself
    }
    for (int k = 0; k < V; ++k) total += v[k];
  }
  const float mean = p.center ? block_sum(team, total, shared) / count : 0.0F;
  float square = 0;
  for (int64_t i = int64_t{team.thread()} * V; i < p.width; i += step) {
    float v[V];
    load<V>(s + i, v);
    for (int k = 0; k < V; ++k) square += (v[k] - mean) * (v[k] - mean);
  }
  const float rstd = 1.0F / sqrtf(block_sum(team, square, shared) / count + p.eps);
  for (int64_t i = int64_t{team.thread()} * V; i < p.width; i += step) {
    float v[V];
    load<V>(s + i, v);
    for (int k = 0; k < V; ++k)
      v[k] = (v[k] - mean) * rstd * p.weight[i + k] + (p.bias ? p.bias[i + k] : 0.0F);
    store<V>(static_cast<T*>(p.y) + offset + i, v);
  }
  if (team.thread() == 0) {
    p.mean[row] = mean;
    p.rstd[row] = rstd;
  }
}

/// A block a row: with h = (s - mean) rstd and g = weight dy, dx = rstd (g - mean(g) - h mean(g h)) + dsum, the first
/// mean only where centered.
template <class T, int V, class Team>
GEN_HOST_DEVICE void row_norm_backward(const Team& team, const RowNormProblem& p, BlockSumShared& shared) {
  const int64_t row = team.block(), offset = row * p.width, step = int64_t{team.threads()} * V;
  const T *s = static_cast<const T*>(p.x) + offset, *dy = static_cast<const T*>(p.dy) + offset;
  const float mean = p.mean[row], rstd = p.rstd[row], count = static_cast<float>(p.width);
  float gradient = 0, product = 0;
  for (int64_t i = int64_t{team.thread()} * V; i < p.width; i += step) {
    float v[V], d[V];
    load<V>(s + i, v);
    load<V>(dy + i, d);
    for (int k = 0; k < V; ++k) {
      const float g = d[k] * p.weight[i + k];
      gradient += g;
      product += g * (v[k] - mean) * rstd;
    }
  }
  const float c1 = p.center ? block_sum(team, gradient, shared) / count : 0.0F;
  const float c2 = block_sum(team, product, shared) / count;
  for (int64_t i = int64_t{team.thread()} * V; i < p.width; i += step) {
    float v[V], d[V], more[V] = {};
    load<V>(s + i, v);
    load<V>(dy + i, d);
    if (p.dsum) load<V>(static_cast<const T*>(p.dsum) + offset + i, more);
    for (int k = 0; k < V; ++k)
      v[k] = (d[k] * p.weight[i + k] - c1 - (v[k] - mean) * rstd * c2) * rstd + more[k];
    store<V>(static_cast<T*>(p.dx) + offset + i, v);
  }
}

struct ColumnShared {
  float weight[kColumnThreads], bias[kColumnThreads];
};
/// Grid: x = tile of 32 columns, y = slice of the rows. Sums dy h and dy over the slice.
template <class T, class Team>
GEN_HOST_DEVICE void row_norm_columns(const Team& team, const RowNormProblem& p, ColumnShared& shared) {
  const int lane = team.thread() % kWarp, first = team.thread() / kWarp,
            rows_at_once = kColumnThreads / kWarp;
  const int64_t column = team.block() * kWarp + lane, each = (p.rows + p.slices - 1) / p.slices;
  const int64_t begin = team.block_y() * each, end = begin + each < p.rows ? begin + each : p.rows;
  float weight = 0, bias = 0;
  if (column < p.width)
    for (int64_t row = begin + first; row < end; row += rows_at_once) {
      const float d = to_float(static_cast<const T*>(p.dy)[row * p.width + column]);
      const float s = to_float(static_cast<const T*>(p.x)[row * p.width + column]);
      weight += d * (s - p.mean[row]) * p.rstd[row];
      bias += d;
    }
  shared.weight[team.thread()] = weight;
  shared.bias[team.thread()] = bias;
  team.sync();
  if (first != 0 || column >= p.width) return;
  for (int i = 1; i < rows_at_once; ++i) {
    weight += shared.weight[i * kWarp + lane];
    bias += shared.bias[i * kWarp + lane];
  }
  float* partial = p.partial + team.block_y() * 2 * p.width;
  partial[column] = weight;
  partial[p.width + column] = bias;
}

/// A thread a column: the slices' sums, in order.
template <class Team>
GEN_HOST_DEVICE void row_norm_parameters(const Team& team, const RowNormProblem& p) {
  const int64_t column = team.block() * team.threads() + team.thread();
  if (column >= p.width) return;
  double weight = 0, bias = 0;
  for (int64_t slice = 0; slice < p.slices; ++slice) {
    weight += static_cast<double>(p.partial[slice * 2 * p.width + column]);
    bias += static_cast<double>(p.partial[(slice * 2 + 1) * p.width + column]);
  }
  p.dweight[column] = static_cast<float>(weight);
  p.dbias[column] = static_cast<float>(bias);
}

/// The launchers exported by libgen_cuda.so. Return a cudaError_t.
using RowNormLauncher = int (*)(const RowNormProblem* problem, void* stream);
inline constexpr const char* kRowNormForwardSymbol = "gen_cuda_row_norm_forward";
inline constexpr const char* kRowNormBackwardSymbol = "gen_cuda_row_norm_backward";

}  // namespace gen::ops::fused
