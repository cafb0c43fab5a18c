// Vector kernels on raw pointers, compiled once for each instruction set (see CMakeLists.txt) and chosen at
// run time. No torch header and no template of the standard library is used by them: a function that the
// linker shares between files must not hold instructions that the machine may lack.
#pragma once

#include <cstdint>

#include "ops/simd/attention.h"
#include "ops/simd/gemm.h"
#include "ops/simd/operand.h"
#include "ops/simd/pairs.h"

namespace gen::ops::simd {

/// bfloat16 and float16 as their bits.
using Bf16 = uint16_t;
struct F16 {
  uint16_t bits;
};

/// "Rows": channels beside each other (channels last), row r at x + r * ld, one parameter per channel.
/// "Plane": one channel's pixels beside each other, one parameter for all. T is float or Bf16; sums and
/// parameters are float.
template <class T>
struct GroupNormKernels {
  /// sum[c] = sum_r (x - pivot[c]), square[c] = sum_r (x - pivot[c])^2
  void (*moments_rows)(const T* x, int64_t ld, int64_t rows, int64_t channels, const float* pivot, float* sum,
                       float* square);
  void (*moments_plane)(const T* x, int64_t n, float pivot, float* sum, float* square);
  /// y = act(scale * x + shift), act SiLU or the identity
  void (*apply_rows)(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t channels,
                     const float* scale, const float* shift, bool silu);
  void (*apply_plane)(const T* x, T* y, int64_t n, float scale, float shift, bool silu);
  /// With h = scale * x + shift (the normalised x) and u = gamma * h + beta: du = dy * act'(u), written to
  /// du; sum[c] = sum_r du, product[c] = sum_r du * h.
  void (*grad_rows)(const T* x, int64_t ldx, const T* dy, int64_t ldy, T* du, int64_t rows, int64_t channels,
                    const float* scale, const float* shift, const float* gamma, const float* beta, bool silu,
                    float* sum, float* product);
  void (*grad_plane)(const T* x, const T* dy, T* du, int64_t n, float scale, float shift, float gamma,
                     float beta, bool silu, float* sum, float* product);
  /// dx = a * dx + b * x + d
  void (*combine_rows)(const T* x, T* dx, int64_t ld, int64_t rows, int64_t channels, const float* a,
                       const float* b, const float* d);
  void (*combine_plane)(const T* x, T* dx, int64_t n, float a, float b, float d);
};

/// LayerNorm (center) or RMSNorm of rows of n elements. Sums of float.
template <class T>
struct RowNormKernels {
  /// One row: s = x + residual, written to `sum`; without a residual (null) s = x and `sum` is not used.
  /// y = weight (s - mean) rstd + bias, bias null: 0, mean 0 where not centered.
  void (*forward)(const T* x, const T* residual, T* sum, T* y, int64_t n, const float* weight,
                  const float* bias, float eps, bool center, float* mean, float* rstd);
  /// Rows beside each other: dx = the gradient by s, plus `dsum` where not null; dweight += sum_r dy h, dbias += sum_r
  /// dy, h = (s - mean) rstd.
  void (*backward)(const T* dy, const T* dsum, const T* s, T* dx, int64_t rows, int64_t n,
                   const float* weight, const float* mean, const float* rstd, bool center, float* dweight,
                   float* dbias);
};

/// One head at one position: y = x with its first 2 * pairs elements rotated; y may be x.
template <class T>
struct RotaryKernels {
  void (*row)(const T* x, T* y, int64_t dim, int64_t pairs, const float* cos, const float* sin,
              bool interleaved, bool inverse);
};

/// The constants of one step over one tensor; see gen/ops/adamw.h.
struct AdamStep {
  float gradient_scale;              ///< multiplies the gradient as it is read
  float decay;                       ///< multiplies the parameter first: 1 - lr * weight_decay
  float mean_weight, square_weight;  ///< of what is new in the moments: 1 - beta
  float step_size;                   ///< lr / (1 - beta1^t)
  float root_correction;             ///< 1 / sqrt(1 - beta2^t)
  float eps;
  float average_weight;  ///< of the new parameter in the average
};
struct AdamKernels {
  /// `average` may be null.
  void (*update)(float* parameter, const float* gradient, float* mean, float* square, float* average,
                 int64_t n, const AdamStep& step);
};

struct Kernels {
  const char* instruction_set;
  GroupNormKernels<float> group_norm;
  GroupNormKernels<Bf16> group_norm_bf16;
  const GemmKernels* gemm;
  const OperandKernels* operands[3];  ///< of float32, float16 and bfloat16, as flash::DType counts them
  const PairKernels* pairs;           ///< null functions where the instructions are missing
  const AttentionKernels* attention;
  const RowNormKernels<float>* row_norm;
  const RowNormKernels<Bf16>* row_norm_bf16;
  const RotaryKernels<float>* rotary;
  const RotaryKernels<Bf16>* rotary_bf16;
  const AdamKernels* adam;
};

namespace baseline {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
namespace avx512_bf16 {
extern const Kernels kKernels;
}

/// The best that this machine runs.
const Kernels& kernels();
/// Those of one instruction set ("baseline", "avx2", "avx512", "avx512_bf16"), or nullptr where this machine lacks it.
const Kernels* kernels_for(const char* instruction_set);

}  // namespace gen::ops::simd
