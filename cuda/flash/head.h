// What one thread block works on: a head of a sequence, rows of its tensors, and the order of the blocks.
#pragma once

#include "flash/visible.h"
#include "gen/ops/flash/problem.h"
#include "gen/ops/fused/element.h"

namespace gen::flash {

using ops::flash::BackwardArguments;
using ops::flash::DType;
using ops::flash::ForwardResult;
using ops::flash::Problem;
using ops::flash::Strides;

/// One sequence of the batch, and one of its heads.
struct Head {
  int batch, head, kv_head;
  int lq, lk;
  int first_q, first_k;  // its first rows in a packed batch
  Band band;
  NarrowBand narrow_band;

  GEN_HOST_DEVICE int64_t query_offset(const Strides& s) const {
    return batch * s.batch + head * s.head + first_q * s.row;
  }
  GEN_HOST_DEVICE int64_t key_offset(const Strides& s) const {
    return batch * s.batch + kv_head * s.head + first_k * s.row;
  }
  GEN_HOST_DEVICE int64_t lse_offset(const ForwardResult& r) const {
    return batch * r.lse_batch_stride + head * r.lse_head_stride + first_q;
  }
};

GEN_HOST_DEVICE Head head_of(const Problem& p, int batch, int head) {
  Head h{batch,
         head,
         static_cast<int>(head / (p.heads / p.kv_heads)),
         static_cast<int>(p.lq),
         static_cast<int>(p.lk),
         0,
         0,
         {},
         {}};
  if (p.cu_seqlens_q != nullptr) {
    h.first_q = p.cu_seqlens_q[batch];
    h.first_k = p.cu_seqlens_k[batch];
    h.lq = p.cu_seqlens_q[batch + 1] - h.first_q;
    h.lk = p.cu_seqlens_k[batch + 1] - h.first_k;
  }
  if (p.used_k != nullptr) h.lk = p.used_k[batch];
  h.band = p.band(h.lq, h.lk);
  h.narrow_band = narrow(h.band, h.lq, h.lk);
  return h;
}

/// Which tile of which head a block takes: the tiles of a head follow each other, so that its other operand stays in the
/// cache; the costliest of causal attention come first.
struct Order {
  int tiles = 0, heads = 0;
  bool reversed = false;

  struct Work {
    int tile, head, batch;
  };
  GEN_HOST_DEVICE Work operator()(int64_t block) const {
    const int tile = static_cast<int>(block % tiles);
    const int64_t pair = block / tiles;
    return {reversed ? tiles - 1 - tile : tile, static_cast<int>(pair % heads),
            static_cast<int>(pair / heads)};
  }
};

/// Rows of one head in global memory.
template <typename T>
struct Rows {
  const T* data;
  int64_t stride;          // elements from row to row
  int rows, dim;           // what there is; zeros stand for the rest
  bool aligned;            // rows begin at multiples of 16 bytes
  const uint8_t* visible;  // of each row, where not null: hidden rows are not read, zeros stand for them
};

template <typename T>
GEN_HOST_DEVICE Rows<T> query_rows(const Problem& p, const Head& h, const void* data, const Strides& s,
                                   bool aligned) {
  return {static_cast<const T*>(data) + h.query_offset(s),
          s.row,
          h.lq,
          static_cast<int>(p.dim),
          aligned,
          nullptr};
}
template <typename T>
GEN_HOST_DEVICE Rows<T> key_rows(const Problem& p, const Head& h, const void* data, const Strides& s,
                                 bool aligned) {
  return {static_cast<const T*>(data) + h.key_offset(s),
          s.row,
          h.lk,
          static_cast<int>(p.dim),
          aligned,
          p.key_mask == nullptr ? nullptr : p.key_mask + h.batch * p.key_mask_stride};
}

}  // namespace gen::flash
