// The online softmax (Dao et al. 2022, algorithm 1) on one thread's registers of a warpgroup's accumulators.
// Host and device: the CPU's tests run it for 128 threads at once.
#pragma once

#include <cmath>

#include "flash/fragment.h"
#include "flash/visible.h"

namespace gen::flash {

constexpr float kLog2E = 1.4426950408889634F;

GEN_HOST_DEVICE float negative_infinity() { return -INFINITY; }

GEN_HOST_DEVICE float exp2_approximate(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return std::exp2(x);
#endif
}

/// The running maximum of a thread's two rows, in units of q k^T (unscaled), and its part of the running sum.
struct RowState {
  float maximum[2] = {negative_infinity(), negative_infinity()};
  float sum[2] = {0, 0};
};

/// Scores outside each row's visible columns become -infinity; `first_column` is the tile's.
template <int Count>
GEN_HOST_DEVICE void mask_scores(float (&scores)[Count], int thread, int first_column,
                                 const Visible (&rows)[2]) {
  // Relative to the thread's first column, so that each register's own part is a constant.
  const int origin = first_column + accumulator_column(thread, 0);
  const int first[2] = {rows[0].first - origin, rows[1].first - origin};
  const int last[2] = {rows[0].last - origin, rows[1].last - origin};
#pragma unroll
  for (int r = 0; r < Count; ++r) {
    const int column = accumulator_column(0, r), half = accumulator_half(r);
    if (column < first[half] || column > last[half]) scores[r] = negative_infinity();
  }
}

/// The maximum over what this thread holds of each row, and what came before. The four threads of a row
/// combine theirs.
template <int Count>
GEN_HOST_DEVICE void row_maximum(const float (&scores)[Count], const RowState& state, float (&maximum)[2]) {
  maximum[0] = state.maximum[0];
  maximum[1] = state.maximum[1];
#pragma unroll
  for (int r = 0; r < Count; ++r)
    maximum[accumulator_half(r)] = fmaxf(maximum[accumulator_half(r)], scores[r]);
}

/// scores <- exp2((scores - maximum) scale_log2); state moves on to `maximum`; factor[half] is what earlier
/// outputs are multiplied by. A row that has seen nothing keeps -infinity and gives zeros.
template <int Count>
GEN_HOST_DEVICE void exponentiate(float (&scores)[Count], const float (&maximum)[2], float scale_log2,
                                  RowState& state, float (&factor)[2]) {
  float shift[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    shift[half] = maximum[half] == negative_infinity() ? 0.0F : maximum[half] * scale_log2;
    factor[half] = exp2_approximate(state.maximum[half] * scale_log2 - shift[half]);
    state.maximum[half] = maximum[half];
    state.sum[half] *= factor[half];
  }
#pragma unroll
  for (int r = 0; r < Count; ++r) {
    scores[r] = exp2_approximate(scores[r] * scale_log2 - shift[accumulator_half(r)]);
    state.sum[accumulator_half(r)] += scores[r];
  }
}

/// What outputs are multiplied by at the end, given the whole row's sum: 0 for a row that saw no key.
GEN_HOST_DEVICE float normaliser(float sum) { return sum == 0.0F ? 0.0F : 1.0F / sum; }

/// log sum exp of the scaled scores, natural; -infinity for a row that saw no key.
GEN_HOST_DEVICE float log_sum_exp(float maximum, float sum, float scale) {
  return sum == 0.0F ? negative_infinity() : maximum * scale + logf(sum);
}

}  // namespace gen::flash
