// The path "check": two paths side by side.
#pragma once

#include "ops/attention/call.h"

namespace gen::ops {

/// Computes by fused and by reference, forward and, where gradients are asked for, backward. Logs the largest difference of
/// each result, throws where one is beyond rounding (or is NaN), and returns fused.
AttentionResult compared_attention(const AttentionCall& call);

}  // namespace gen::ops
