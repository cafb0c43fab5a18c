// Tiles between global memory, shared memory and the registers of a warp, and their products. Templates over a machine:
// flash/device_machine.cuh, or the tests' emulated one.
#pragma once

#include "flash/convert.h"
#include "flash/fragment.h"
#include "flash/head.h"

namespace gen::flash {

/// Eight elements of a row that is not aligned, one by one.
template <typename T>
GEN_DEVICE void gather(const T* from, int count, uint32_t (&x)[4]) {
#pragma unroll
  for (int pair = 0; pair < 4; ++pair) {
    const uint32_t low = 2 * pair < count ? from[2 * pair].bits : 0U;
    const uint32_t high = 2 * pair + 1 < count ? from[2 * pair + 1].bits : 0U;
    x[pair] = low | high << 16;
  }
}

/// Begins to copy rows [first, first + Count) into a tile of shared memory, by all threads of a block. Here and below
/// `thread` is m.thread(), or m.fresh_thread() where registers are short.
template <int Count, int Threads, typename Rule, typename Shared, typename T, typename Machine>
GEN_DEVICE void load_rows(Machine& m, int thread, const Shared& tile, const Rows<T>& from, int first) {
  // A thread keeps to one chunk of every row it takes, so that its address grows by the same step.
  constexpr int kRowsAtOnce = Threads / Shared::kChunks;
  const int chunk = thread % Shared::kChunks, begin = thread / Shared::kChunks;
  if (begin >= kRowsAtOnce) return;
  int columns = from.dim - chunk * kChunk;
  columns = columns < 0 ? 0 : columns > kChunk ? kChunk : columns;
  const T* source = from.data + (first + begin) * from.stride + (columns > 0 ? chunk * kChunk : 0);
#pragma unroll 4
  for (int row = begin; row < Count; row += kRowsAtOnce, source += kRowsAtOnce * from.stride) {
    const bool present = first + row < from.rows &&
                         (!Rule::kGeneral || from.visible == nullptr || from.visible[first + row] != 0);
    const uint32_t to = tile.chunk(row, chunk);
    if (!Rule::kGeneral || from.aligned) {
      m.copy(to, present ? source : from.data, present ? columns * 2 : 0);
    } else {
      uint32_t x[4];
      gather(source, present ? columns : 0, x);
      m.store(to, x);
    }
  }
}

/// c[t] += A_t B^T: A's rows from `a_row` on, 16 for each t; B has as many rows as c has columns. Both lie in shared memory with the inner
/// dimension along rows.
template <typename T, int RowTiles, int Registers, typename Shared, typename Machine>
GEN_DEVICE void multiply_transposed(Machine& m, int thread, float (&c)[RowTiles][Registers], const Shared& a,
                                    int a_row, const Shared& b, int used = 2 * Registers) {
  const int lane = thread % kLanes;
  const Named at_a = name_a(lane), at_b = name_b_transposed(lane);
  const auto rows_a = a.cursor(a_row + at_a.row, at_a.chunk), rows_b = b.cursor(at_b.row, at_b.chunk);
#pragma unroll
  for (int step = 0; step < Shared::kColumns / 16; ++step) {
    uint32_t x[RowTiles][4];
#pragma unroll
    for (int t = 0; t < RowTiles; ++t) m.load_matrices(rows_a(16 * t, 2 * step), x[t]);
#pragma unroll
    for (int n = 0; n < Registers / 8; ++n) {
      if (16 * n >= used) break;
      uint32_t y[4];
      m.load_matrices(rows_b(16 * n, 2 * step), y);
#pragma unroll
      for (int t = 0; t < RowTiles; ++t) {
        m.template multiply<T>(&c[t][8 * n], x[t], y[0], y[1]);
        m.template multiply<T>(&c[t][8 * n + 4], x[t], y[2], y[3]);
      }
    }
  }
}

/// c[t] += P_t B for accumulators P_t as they are, rounded to T; B has as many rows as P has columns, and is read from
/// `column`, a multiple of 64, on.
template <typename T, int RowTiles, int Registers, int Inner, typename Shared, typename Machine>
GEN_DEVICE void multiply_accumulators(Machine& m, int thread, float (&c)[RowTiles][Registers],
                                      const float (&p)[RowTiles][Inner], const Shared& b, int column,
                                      int used = 2 * Inner) {
  const Named at = name_b(thread % kLanes);
  const auto rows = b.cursor(at.row, at.chunk, column / kChunk);
#pragma unroll
  for (int step = 0; step < Inner / 8; ++step) {
    if (16 * step >= used) break;
    uint32_t x[RowTiles][4];
#pragma unroll
    for (int t = 0; t < RowTiles; ++t)
#pragma unroll
      for (int pair = 0; pair < 4; ++pair)
        x[t][pair] = pack<T>(p[t][8 * step + 2 * pair], p[t][8 * step + 2 * pair + 1]);
#pragma unroll
    for (int n = 0; n < Registers / 8; ++n) {
      uint32_t y[4];
      m.load_transposed(rows(16 * step, 2 * n), y);
#pragma unroll
      for (int t = 0; t < RowTiles; ++t) {
        m.template multiply<T>(&c[t][8 * n], x[t], y[0], y[1]);
        m.template multiply<T>(&c[t][8 * n + 4], x[t], y[2], y[3]);
      }
    }
    if constexpr (Registers % 8 != 0) {
      uint32_t y[2];
      m.load_transposed(rows(16 * step, Registers / 4 - 1), y);
#pragma unroll
      for (int t = 0; t < RowTiles; ++t) m.template multiply<T>(&c[t][Registers - 4], x[t], y[0], y[1]);
    }
  }
}

template <int RowTiles, int Count>
GEN_DEVICE void clear(float (&c)[RowTiles][Count]) {
#pragma unroll
  for (int t = 0; t < RowTiles; ++t)
#pragma unroll
    for (int r = 0; r < Count; ++r) c[t][r] = 0;
}

/// Where rows of a result go.
template <typename T>
struct Target {
  T* data;
  int64_t stride;
  int rows, dim;
  bool aligned;
};

/// Writes accumulators in T: this warp's rows from `row` of the tile `staging`, which is free, and from there to memory 16
/// bytes at once. `first` is the tile's first row, `column` the accumulators' first column.
template <typename Rule, int RowTiles, int Registers, typename Shared, typename T, typename Machine>
GEN_DEVICE void store_rows(Machine& m, const float (&c)[RowTiles][Registers], const Shared& staging, int row,
                           const Target<T>& to, int first, int column) {
  const int lane = m.thread() % kLanes;
#pragma unroll
  for (int t = 0; t < RowTiles; ++t)
#pragma unroll
    for (int r = 0; r < Registers; r += 2)
      m.store(staging.pair(row + 16 * t + accumulator_row(lane, r), column + accumulator_column(lane, r)),
              pack<T>(c[t][r], c[t][r + 1]));
  m.sync_warp();
  constexpr int kRowChunks = 2 * Registers / kChunk;
  for (int index = lane; index < 16 * RowTiles * kRowChunks; index += kLanes) {
    const int line = row + index / kRowChunks, chunk = column / kChunk + index % kRowChunks;
    const int count = to.dim - chunk * kChunk;
    if (first + line >= to.rows || count <= 0) continue;
    ops::fused::Pack<uint32_t, 4> x;
    m.load(staging.chunk(line, chunk), x.element);
    T* const target = to.data + (first + line) * to.stride + chunk * kChunk;
    if ((!Rule::kGeneral || to.aligned) && count >= kChunk) {
      *reinterpret_cast<ops::fused::Pack<uint32_t, 4>*>(target) = x;
    } else {
#pragma unroll
      for (int e = 0; e < kChunk; ++e)
        if (e < count) target[e] = T{static_cast<uint16_t>(x.element[e / 2] >> (e % 2 * 16))};
    }
  }
}

}  // namespace gen::flash
