// Convolutions that train to the same bits on any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace gen::row_wise {

struct ConvolutionShape {
  int64_t stride = 1, padding = 0;
  bool transposed = false;
  std::vector<int64_t> output_padding{0, 0};  ///< of a transposed one
};

/// at::conv2d or at::conv_transpose2d on a CPU, differentiable, in autocast's dtype where that is on. oneDNN splits the
/// sum over the batch that a weight's gradient is by its threads; here it is split by the batch's size alone, each part
/// is one thread's, and they are added in their order.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const ConvolutionShape& shape);

/// Whether oneDNN has bfloat16 on this CPU (AVX-512 or better). Without it convolutions of bfloat16 are computed in float32
/// and rounded.
bool convolves_bfloat16();

}  // namespace gen::row_wise
