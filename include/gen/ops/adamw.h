// One step of AdamW over many tensors, with gradient clipping's factor and the average of the weights, in one pass over
// memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace gen::ops {

/// A parameter and what belongs to it: float32, dense, all in the parameter's strides and on its device.
struct AdamWTensor {
  at::Tensor parameter, gradient;
  at::Tensor mean, square;  ///< moving averages of the gradient and of its square
  at::Tensor step;          ///< float32 scalar on the parameter's device: updates so far, this one included
  at::Tensor average{};     ///< or undefined: moving average of the parameter
  double weight_decay = 0;
};

struct AdamWArgs {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double gradient_scale = 1;  ///< multiplies every gradient as it is read; the gradient itself stays as it is
  double average_weight = 0;  ///< average += average_weight * (parameter - average), after the update
};

/// Loshchilov & Hutter 2019, algorithm 2, in place on every parameter, mean, square and average. On CUDA one launch of
/// cuda/adamw.cu for up to 40 tensors; throws where libgen_cuda.so is missing (see adamw_supported). Throws ShapeError
/// naming the tensor that does not fit its parameter.
void adamw_(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args);

/// Whether adamw_ takes a parameter: float32, dense, on the CPU, or on CUDA where libgen_cuda.so is there.
bool adamw_supported(const at::Tensor& parameter);

}  // namespace gen::ops
