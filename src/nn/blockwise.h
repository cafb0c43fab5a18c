// Torch's element-wise functions, to the same bits on any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::row_wise {

/// Those whose loops compute the last elements of a share otherwise than the others, forward or backward: where torch
/// itself cuts the shares, their number decides the last bits.
enum class ElementFunction { sigmoid, silu, gelu, softplus, mish, elu, logit, log_sigmoid };

/// f(x), differentiable, on a CPU; by torch's own loops, over shares of whole vectors.
at::Tensor blockwise(ElementFunction f, const at::Tensor& x);

}  // namespace gen::row_wise
