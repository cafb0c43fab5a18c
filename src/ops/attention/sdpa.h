// Attention by torch's scaled_dot_product_attention, for what it does exactly as our contract says.
#pragma once

#include <string_view>

#include "ops/attention/call.h"

namespace gen::ops {

/// Why torch's cannot do this call, or "".
std::string sdpa_refusal(const AttentionCall& call);
/// Whether `auto` takes torch's though ours could: on CUDA for all that torch's can do, and where it was measured faster
/// (src/ops/README.md), on a CPU without AVX-512, where no gradient is wanted, for plain
/// attention of 512 and more queries to 512 and more keys with D >= 64. `instruction_set` as simd::Kernels names it.
bool sdpa_is_preferred(const AttentionCall& call, std::string_view instruction_set);
at::Tensor sdpa_attention(const AttentionCall& call);

}  // namespace gen::ops
