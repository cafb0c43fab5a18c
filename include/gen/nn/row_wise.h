// Torch's functions to the same bits whatever else is computed with them.
//
// While no gradient is recorded, on a CPU, without autocast, in float32 and bfloat16, row i of the result is a function
// of row i alone, bit for bit: what makes sample i the same in every batch. LibTorch chooses the kernel of a product or
// a convolution by the number of rows, and computes the tail of a vectorised loop otherwise than the rest; either
// changes the last bit.
//
// While gradients are recorded, on a CPU, results and gradients do not depend on the number of threads. LibTorch and
// oneDNN cut loops and sums into a share for each thread, which changes the last bit for the same reasons.
//
// Elsewhere these are torch's own. Values agree with torch's up to rounding.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::row_wise {

/// x W^T + b: x [..., in], weight [out, in], bias [out], float32; x may be bfloat16, and so is then the result.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
/// x [B, in, H, W], weight [out, in, k, k], bias [out] or undefined; in the dtype of x and weight.
at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding);
/// Its transpose, for square kernels: x [B, in, H, W], weight [in, out, k, k], bias [out], float32;
/// [B, out, (H - 1) stride - 2 padding + k + output_padding[0], ...].
at::Tensor conv_transpose2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            int64_t stride, int64_t padding, at::IntArrayRef output_padding);

/// x [B, ...] summed to [B].
at::Tensor sum_of_each(const at::Tensor& x);
/// A parameter that broadcasts over x [B, ...], with a row for each example, so that its gradient is summed example by
/// example: LibTorch gives the sum to a single number to several threads.
at::Tensor one_for_each(const at::Tensor& parameter, const at::Tensor& x);

// Element by element, in x's dtype.
at::Tensor sigmoid(const at::Tensor& x);
at::Tensor silu(const at::Tensor& x);
at::Tensor gelu(const at::Tensor& x);  ///< exact, by erf
at::Tensor softplus(const at::Tensor& x);
at::Tensor mish(const at::Tensor& x);
at::Tensor elu(const at::Tensor& x);
// The same on any number of threads, but not in every batch:
at::Tensor logit(const at::Tensor& x);
at::Tensor log_sigmoid(const at::Tensor& x);

}  // namespace gen::row_wise
