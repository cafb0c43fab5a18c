// How a problem is cut: sequences, blocks of rows, operands in float32.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "gen/core/parallel.h"
#include "gen/ops/flash/problem.h"
#include "ops/buffer.h"
#include "ops/simd/kernels.h"

namespace gen::ops::flash::cpu {

/// Rows of a block: enough to use each load of the other operand often, few enough that a tile of scores stays in the
/// second cache (48 x 256 floats: 48 KiB).
inline constexpr int64_t kBlockRows = 48;
inline constexpr int64_t kBlockColumns = 256;

using ops::cpu::Buffer;

/// A tensor [B, H, L, D] or, packed, [total, H, D].
struct View {
  char* data = nullptr;
  Strides strides;
  DType dtype = DType::f32;
  const simd::OperandKernels* operand = nullptr;  ///< those of dtype

  void* at(int64_t b, int64_t h, int64_t row, int64_t column = 0) const {
    return data +
           (b * strides.batch + h * strides.head + row * strides.row + column) * operand->element_bytes;
  }
};
inline View view(const void* data, const Strides& strides, DType dtype, const simd::Kernels& kernels) {
  return {static_cast<char*>(const_cast<void*>(data)), strides, dtype,
          kernels.operands[static_cast<size_t>(dtype)]};
}

/// One sequence of the batch.
struct Sequence {
  int64_t batch = 0;
  int64_t lq = 0, lk = 0;
  int64_t first_q = 0, first_k = 0;  ///< its first rows in a packed batch
  Band band;
  const uint8_t* key_mask = nullptr;  ///< [lk], 1 where a key may be seen; null: everywhere

  int64_t num_visible(Range keys) const;
};
std::vector<Sequence> sequences(const Problem& problem);

/// Rows [rows.begin, rows.end) of one head as float32: in place where they are that already, else converted into `room`
/// (rows x dim floats).
simd::LeftMatrix rows_of(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows,
                         int64_t dim, float* room);
/// The same of keys or values, with zeros where the key mask hides: what lies there may be anything, and 0 NaN = NaN.
simd::LeftMatrix key_rows_of(const View& x, const Sequence& s, int64_t head, Range keys, int64_t dim,
                             float* room);
/// Writes float32 rows, scaled, in the view's dtype.
void store_rows(const View& x, const Sequence& s, int64_t first, int64_t head, Range rows, int64_t dim,
                const float* from, int64_t ld, float scale);

/// A block of rows of one head of one sequence.
struct Block {
  size_t sequence = 0;
  int64_t head = 0;
  Range rows;
};
/// All blocks of queries (or keys), the costliest of causal attention first.
std::vector<Block> blocks(const std::vector<Sequence>& all, bool keys, int64_t heads);

/// body(item, workspace) for every block or task, taken in turn by all threads; `make` makes each thread's workspace.
template <class Item, class Make, class Body>
void each_block(const std::vector<Item>& all, const Make& make, const Body& body) {
  std::atomic<size_t> next{0};
  const auto workers = std::min<int64_t>(at::get_num_threads(), static_cast<int64_t>(all.size()));
  parallel_for(0, workers, 1, [&](int64_t, int64_t) {
    if (next.load() >= all.size()) return;
    auto workspace = make();
    for (size_t i = next++; i < all.size(); i = next++) body(all[i], workspace);
  });
}

}  // namespace gen::ops::flash::cpu
