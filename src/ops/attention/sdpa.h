// Attention by torch's scaled_dot_product_attention, for what it does exactly as our contract says.
#pragma once

#include "ops/attention/call.h"

namespace gen::ops {

/// Why torch's cannot do this call, or "".
std::string sdpa_refusal(const AttentionCall& call);
at::Tensor sdpa_attention(const AttentionCall& call);

}  // namespace gen::ops
