// Attention of few queries, as in decoding: bound by reading the keys and values, so they are read once, where they
// lie (split-KV; Dao et al. 2023, "Flash-Decoding for long-context inference").
#pragma once

#include "ops/flash/blocks.h"

namespace gen::ops::flash::cpu {

/// Queries x heads for a key head up to which packing the keys costs more than it saves (measured).
inline constexpr int64_t kFewRows = 64;

/// By the shape alone, so that the numbers do not depend on what else is in a batch.
inline bool reads_in_place(const Sequence& s, int64_t heads_per_key_head) {
  return s.lq * heads_per_key_head <= kFewRows;
}

/// Fills out and lse of the sequences given. Parallel over sequences x key heads x parts of the keys; the parts have a fixed
/// length, so sums do not depend on the number of threads.
void decode(const Problem& problem, const std::vector<Sequence>& sequences, const ForwardResult& result,
            const simd::Kernels& kernels);

}  // namespace gen::ops::flash::cpu
