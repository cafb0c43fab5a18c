// One call of attention, checked: what every path is given.
#pragma once

#include "gen/ops/attention.h"
#include "gen/ops/flash/problem.h"

namespace gen::ops {

struct AttentionCall {
  at::Tensor q, k, v;
  AttentionOptions options;
  PackedSequences packed;  ///< undefined tensors: not packed
  at::Tensor used_k;       ///< int32 [B] or undefined: keys of each sequence in use

  bool is_packed() const { return packed.cu_seqlens_q.defined(); }
  int64_t batch() const { return is_packed() ? packed.cu_seqlens_q.size(0) - 1 : q.size(0); }
  int64_t heads() const { return q.size(1); }
  int64_t kv_heads() const { return k.size(1); }
  int64_t lq() const { return is_packed() ? packed.max_q : q.size(2); }
  int64_t lk() const { return is_packed() ? packed.max_k : k.size(2); }
  double scale() const;
  int64_t window_left() const;   ///< kUnlimited where there is none
  int64_t window_right() const;  ///< 0 where causal
  flash::Dropout dropout() const;
};

/// Throws ShapeError or ConfigError on the first thing that does not fit.
void check(const AttentionCall& call);

}  // namespace gen::ops
