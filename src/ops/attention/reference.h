// Attention by its definition, of torch's own operations.
#pragma once

#include "ops/attention/call.h"

namespace gen::ops {

/// Every option, any floating dtype (half precisions compute in float32), differentiable any number of times. Holds the
/// scores of one sequence at least: for checking, not for speed.
AttentionResult reference_attention(const AttentionCall& call);

}  // namespace gen::ops
