// Torch's functions where a row of the result must not depend on how many rows there are: what makes sample i the same in
// every batch. LibTorch chooses the kernel of a product or a convolution by the number of rows, and computes the tail of a vectorised loop
// otherwise than the rest; either changes the last bit.
//
// While no gradient is recorded, on a CPU, without autocast, in float32 and bfloat16, row i of the result is a function of row i alone, bit for bit. Elsewhere these
// are torch's own. Values agree with torch's up to rounding.
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

// Element by element, in x's dtype.
at::Tensor sigmoid(const at::Tensor& x);
at::Tensor silu(const at::Tensor& x);
at::Tensor gelu(const at::Tensor& x);  ///< exact, by erf
at::Tensor softplus(const at::Tensor& x);
at::Tensor mish(const at::Tensor& x);
at::Tensor elu(const at::Tensor& x);

}  // namespace gen::row_wise
