// gen::flash_attention and its backward as operators of torch's dispatcher, so that C++ and Python (torch.ops.load_library)
// call the same.
#pragma once

#include "ops/attention/call.h"

namespace gen::ops {

/// Why the kernels cannot do this call, or "".
std::string flash_refusal(const AttentionCall& call);
/// By the dispatcher: autocast, autograd and the device's kernels.
AttentionResult flash_attention(const AttentionCall& call);

}  // namespace gen::ops
