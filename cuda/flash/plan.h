// Which kernels a problem takes on a GPU, with which tiles, grid and work space: pure functions, run by the CPU's tests.
#pragma once

#include <cmath>
#include <cstddef>

#include "flash/backward.h"
#include "flash/forward_short.h"
#include "flash/query_grads.h"
#include "flash/scalar.h"

namespace gen::flash {

struct Gpu {
  int multiprocessors = 108;
  int major = 8;  // of the compute capability
};

/// `tensor`: mma of 16-bit operands; `scalar`: float32 multiply-adds.
enum class Arithmetic { tensor, scalar };

/// A kernel's template arguments and grid.
struct Choice {
  const char* refusal = nullptr;  // why there is no kernel
  Arithmetic arithmetic = Arithmetic::tensor;
  int dim = 0;              // of its tile: the least in the table that holds the problem's
  bool general = false;     // flash/scores.h
  bool short_keys = false;  // flash/forward_short.h
};

constexpr int64_t kMostRows = int64_t{1} << 30, kMostBlocks = 0x7fffffff;

/// Dimensions with a tile of their own; others take the next one, their tails read as zeros. Kernels with every option
/// come in fewer sizes.
inline int tile_dim(int64_t dim, bool general) {
  constexpr int kPlain[] = {40, 64, 72, 80, 96, 128, 160, 256}, kGeneral[] = {40, 64, 80, 128, 160, 256};
  if (general) {
    for (int size : kGeneral)
      if (dim <= size) return size;
  } else {
    for (int size : kPlain)
      if (dim <= size) return size;
  }
  return 0;
}
inline int forward_tile_dim(int64_t dim, bool general) {
  return !general && dim <= 32 ? 32 : tile_dim(dim, general);
}
inline int scalar_tile_dim(int64_t dim) { return dim <= 64 ? 64 : dim <= 128 ? 128 : dim <= 256 ? 256 : 0; }

/// Whether every row begins at a multiple of 16 bytes. Strides of dimensions of one element do not count.
inline bool rows_aligned(const void* data, const Strides& s, int64_t batch, int64_t heads, int64_t rows) {
  const auto fits = [](int64_t stride, int64_t size) { return size <= 1 || stride % kChunk == 0; };
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && fits(s.batch, batch) && fits(s.head, heads) &&
         fits(s.row, rows);
}

/// Whether positions alone decide what a query sees, and the scale alone what a score is.
inline bool asks_for_options(const Problem& p) {
  return !(p.scale > 0) || !std::isfinite(p.scale) || p.softcap > 0 || p.bias != nullptr ||
         p.alibi_slopes != nullptr || p.key_mask != nullptr || p.dropout.active();
}

inline const char* refusal_of(const Problem& p) {
  if (p.dim < 1 || p.dim > 256) return "head dimensions beyond 256";
  if (p.lq >= kMostRows || p.lk >= kMostRows) return "sequences of 2^30 rows or more";
  if (p.batch * p.heads >= kMostBlocks) return "2^31 heads or more";
  return nullptr;
}

inline Choice choose(const Problem& p, bool aligned, bool forward) {
  Choice c;
  c.refusal = refusal_of(p);
  if (c.refusal != nullptr) return c;
  // Backward, the plain kernel of D = 256 would keep registers in memory; the general one does not.
  c.general = !aligned || asks_for_options(p) || (!forward && p.dim > 160);
  if (p.dtype == DType::f32) {
    c.arithmetic = Arithmetic::scalar;
    c.dim = scalar_tile_dim(p.dim);
  } else {
    c.dim = forward ? forward_tile_dim(p.dim, c.general) : tile_dim(p.dim, c.general);
  }
  return c;
}

/// Costliest tiles first where causal attention makes the last rows the longest.
inline Order order_of(int64_t rows, int rows_per_tile, int64_t heads, bool reversed = false) {
  return {static_cast<int>((rows + rows_per_tile - 1) / rows_per_tile), static_cast<int>(heads), reversed};
}
inline int64_t blocks_of(const Order& order, int64_t batch) {
  return int64_t{order.tiles} * order.heads * batch;
}

/// Into how many parts the keys are split so that few queries fill the GPU: 1 where its blocks already keep 80 % of it busy,
/// else the least that reaches 85 % of the best use of whole waves of blocks.
inline int key_splits(int64_t blocks, int64_t key_tiles, int multiprocessors) {
  if (blocks == 0 || 5 * blocks >= 4 * multiprocessors || key_tiles <= 1) return 1;
  constexpr int kMostSplits = 128;
  const int most = static_cast<int>(key_tiles < kMostSplits ? key_tiles : kMostSplits);
  const auto efficiency = [&](int splits) {
    const double waves = static_cast<double>(blocks * splits) / multiprocessors;
    return waves / std::ceil(waves);
  };
  // As many parts as have tiles: 5 tiles in 4 parts are 2, 2, 1 and nothing.
  const auto useful = [&](int splits) {
    const int64_t each = (key_tiles + splits - 1) / splits;
    return (key_tiles + each - 1) / each == splits;
  };
  double best = 0;
  for (int splits = 1; splits <= most; ++splits)
    if (useful(splits)) best = std::fmax(best, efficiency(splits));
  for (int splits = 1; splits < most; ++splits)
    if (useful(splits) && efficiency(splits) >= 0.85 * best) return splits;
  return most;
}

struct ForwardPlan {
  Choice choice;
  ForwardArguments arguments;
  int64_t blocks = 0;
  size_t workspace_bytes = 0;
};

inline ForwardPlan plan_forward(const Problem& p, const ForwardResult& result, const Gpu& gpu) {
  ForwardPlan plan;
  auto& a = plan.arguments;
  a.problem = p;
  a.result = result;
  a.aligned_q = rows_aligned(p.q, p.q_strides, p.batch, p.heads, p.lq);
  a.aligned_k = rows_aligned(p.k, p.k_strides, p.batch, p.kv_heads, p.lk);
  a.aligned_v = rows_aligned(p.v, p.v_strides, p.batch, p.kv_heads, p.lk);
  a.aligned_out =
      result.out == nullptr || rows_aligned(result.out, result.out_strides, p.batch, p.heads, p.lq);
  plan.choice = choose(p, a.aligned_q && a.aligned_k && a.aligned_v && a.aligned_out, true);
  Choice& c = plan.choice;
  if (c.refusal != nullptr) return plan;
  const bool tensor = c.arithmetic == Arithmetic::tensor;
  // All keys in one tile or a packed batch (whose number of rows is on the GPU) are not split.
  const int keys = c.dim <= 40 ? 96 : 64, narrow_rows = 64;
  const int64_t least_blocks = p.batch * p.heads * ((p.lq + narrow_rows - 1) / narrow_rows);
  const bool may_split = tensor && p.cu_seqlens_q == nullptr;
  const int splits = may_split ? key_splits(least_blocks, (p.lk + keys - 1) / keys, gpu.multiprocessors) : 1;
  if (splits > 1) {
    c.general = true;
    c.dim = forward_tile_dim(p.dim, true);
    a.parts.splits = splits;
    a.parts.rows = p.batch * p.heads * p.lq;
    plan.workspace_bytes =
        static_cast<size_t>(splits) * static_cast<size_t>(a.parts.rows) * static_cast<size_t>(p.dim + 1) * 4;
  }
  if (tensor && !c.general && p.lk <= kShortKeys && c.dim <= kShortMostDim && splits == 1) {
    // As many blocks as keep the GPU busy; the tiles of a head go by turns to its blocks.
    c.short_keys = true;
    const int64_t pairs = p.batch * p.heads, tiles = (p.lq + narrow_rows - 1) / narrow_rows;
    const int64_t wanted = pairs == 0 ? 1 : (4 * gpu.multiprocessors + pairs - 1) / pairs;
    a.order = {static_cast<int>(wanted < tiles ? wanted : tiles), static_cast<int>(p.heads), false};
    plan.blocks = blocks_of(a.order, p.batch);
    return plan;
  }
  const int rows = !tensor ? 32 : c.general || c.dim > 128 ? 64 : 128;
  a.order = order_of(p.lq, rows, p.heads, p.right < Band::kUnlimited);
  plan.blocks = blocks_of(a.order, p.batch) * splits;
  if (plan.blocks > kMostBlocks) c.refusal = "more than 2^31 blocks";
  return plan;
}
/// Gives a plan the work space that it asked for.
inline void use_workspace(ForwardPlan& plan, void* workspace) {
  auto& parts = plan.arguments.parts;
  if (parts.splits == 1) return;
  parts.out = static_cast<float*>(workspace);
  parts.lse = parts.out + parts.splits * parts.rows * plan.arguments.problem.dim;
}

struct BackwardPlan {
  Choice choice;
  GradArguments arguments;  // the orders below take its `order`'s place
  Order rows, keys, queries;
  BiasOrder bias;
  int64_t bias_blocks = 0;
  bool atomic = false;
  size_t workspace_bytes = 0;
};

inline BackwardPlan plan_backward(const Problem& p, const BackwardArguments& b) {
  BackwardPlan plan;
  auto& a = plan.arguments;
  a.problem = p;
  a.backward = b;
  a.aligned_q = rows_aligned(p.q, p.q_strides, p.batch, p.heads, p.lq);
  a.aligned_k = rows_aligned(p.k, p.k_strides, p.batch, p.kv_heads, p.lk);
  a.aligned_v = rows_aligned(p.v, p.v_strides, p.batch, p.kv_heads, p.lk);
  a.aligned_grad = rows_aligned(b.grad_out, b.grad_out_strides, p.batch, p.heads, p.lq);
  a.aligned_out = rows_aligned(b.grad_q, b.grad_q_strides, p.batch, p.heads, p.lq) &&
                  rows_aligned(b.grad_k, b.grad_k_strides, p.batch, p.kv_heads, p.lk) &&
                  rows_aligned(b.grad_v, b.grad_v_strides, p.batch, p.kv_heads, p.lk);
  plan.choice =
      choose(p, a.aligned_q && a.aligned_k && a.aligned_v && a.aligned_grad && a.aligned_out, false);
  const Choice& c = plan.choice;
  if (c.refusal != nullptr) return plan;
  const bool tensor = c.arithmetic == Arithmetic::tensor;
  plan.atomic = tensor && !b.deterministic && p.cu_seqlens_q == nullptr;
  if (plan.atomic)
    plan.workspace_bytes = static_cast<size_t>(p.batch * p.heads * p.lq * p.dim) * sizeof(float);
  const int tile = tensor ? 64 : 32;
  plan.rows = order_of(p.lq, kRowThreads / kLanes, p.heads);
  plan.keys = order_of(p.lk, tile, p.kv_heads);
  plan.queries = order_of(p.lq, tile, p.heads, p.right < Band::kUnlimited);
  if (b.grad_bias != nullptr) {
    constexpr int kRows = 32;
    const int64_t* sizes = b.grad_bias_sizes;
    plan.bias = {static_cast<int>((sizes[2] + kRows - 1) / kRows),
                 static_cast<int>((sizes[3] + kRows - 1) / kRows), static_cast<int>(sizes[1])};
    plan.bias_blocks = int64_t{plan.bias.rows} * plan.bias.columns * sizes[1] * sizes[0];
  }
  if (blocks_of(plan.rows, p.batch) > kMostBlocks || plan.bias_blocks > kMostBlocks)
    plan.choice.refusal = "more than 2^31 blocks";
  return plan;
}

}  // namespace gen::flash
