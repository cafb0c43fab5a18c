// Attention of few queries to many keys, as in decoding: bound by reading the keys and values, so they are read once, where
// they lie (split-KV; Dao et al. 2023, "Flash-Decoding for long-context inference").
#pragma once

#include "ops/flash/blocks.h"

namespace gen::ops::flash::cpu {

/// Queries x heads for a key head that decode() takes at most.
inline constexpr int64_t kFewRows = 64;

/// Whether packing the keys of this sequence costs more than it saves: by the shape alone. (Measured: with 1024 keys and more
/// the packed copies no longer stay in the second cache.)
inline bool reads_in_place(const Sequence& s, int64_t heads_per_key_head) {
  const int64_t rows = s.lq * heads_per_key_head;
  return rows <= 16 || (rows <= kFewRows && s.lk >= 1024);
}

/// Fills out and lse of the sequences given. Parallel over sequences x key heads x parts of the keys; the parts have a fixed
/// length, so sums do not depend on the number of threads.
void decode(const Problem& problem, const std::vector<Sequence>& sequences, const ForwardResult& result,
            const simd::Kernels& kernels);

}  // namespace gen::ops::flash::cpu
