// A multi-layer perceptron with ReLU, as one node of the autograd graph.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen {

/// h_0 = x, h_{i+1} = relu(h_i W_i^T + b_i), the last layer without the ReLU; returns the last h [B, out_n].
/// x [B, in_0], weights[i] [out_i, in_i] with in_{i+1} = out_i, biases[i] [out_i]; all of one floating type
/// and device. Differentiable once, with two matrix products a layer and the ReLU's mask applied in place.
/// Under autocast the layers run as separate operations in the lower precision. Throws ShapeError naming the
/// layer that does not fit.
at::Tensor relu_mlp(const at::Tensor& x, at::TensorList weights, at::TensorList biases);

}  // namespace gen
