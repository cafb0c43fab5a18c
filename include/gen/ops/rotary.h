// Rotary position embedding (Su et al. 2021, RoFormer) of queries and keys.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::ops {

/// Which two elements of a head are rotated together, i in [0, R/2).
enum class RotaryLayout {
  half,         ///< i and i + R/2: Llama, Qwen2 and GPT-NeoX in transformers
  interleaved,  ///< 2i and 2i + 1: the paper, GPT-J
};

/// The cosine and sine of every position's angles, float32 [T, R/2] or [B, T, R/2]; made once for all layers of a model.
struct RotaryTable {
  at::Tensor cos, sin;
};

/// theta^(-2i / dim) for i in [0, dim / 2), float32; dim even.
at::Tensor rotary_frequencies(int64_t dim, double theta = 10000);
/// Angles are position * frequency. positions [T] or [B, T], integers; frequencies [R/2] float32 (scaled ones as Llama 3
/// has them too); `scale` multiplies the table (YaRN's attention factor, Peng et al. 2023).
RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies, double scale = 1);

/// x [B, H, T, D] with its first R <= D elements rotated and the rest as they are; any strides whose last is 1 are read
/// without a copy. float32, bfloat16 or (on CUDA) float16, with arithmetic in float32; other dtypes get torch's own
/// operations. Differentiable by x, any number of times. On CUDA cuda/rotary.cu, where libgen_cuda.so is there. Throws
/// ShapeError naming the shapes on a mismatch.
at::Tensor rotary(const at::Tensor& x, const RotaryTable& table, RotaryLayout layout);
/// The same in place; returns x. Throws ShapeError where x's last dimension is not contiguous.
at::Tensor rotary_(const at::Tensor& x, const RotaryTable& table, RotaryLayout layout);

}  // namespace gen::ops
