// The device's part of gen::flash_attention: outputs, work space, launch.
#pragma once

#include "ops/attention/call.h"

namespace gen::ops {

struct AttentionGrads {
  at::Tensor q, k, v, bias;  ///< bias: empty where it is not wanted
};

/// Outputs with the strides that the kernels choose, not filled; also of symbolic sizes.
AttentionResult empty_result(const at::Tensor& q);
AttentionGrads empty_grads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& bias);

AttentionResult run_forward(const AttentionCall& call);
AttentionGrads run_backward(const AttentionCall& call, const at::Tensor& grad_out,
                            const AttentionResult& forward, bool bias_grad);

}  // namespace gen::ops
