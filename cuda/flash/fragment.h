// Where the elements of a tile lie: the registers of a warp, and shared memory as `ldmatrix` reads it. Pure index arithmetic
// after the PTX ISA ("Matrix Fragments for mma.m16n8k16"), run by the CPU's tests.
#pragma once

#include <cstdint>

#include "gen/ops/flash/host_device.h"

namespace gen::flash {

constexpr int kLanes = 32;

/// The accumulator of 16 rows a warp and N columns (m16n8k16 side by side, or m64nNk16 of a warpgroup): register r of
/// thread t is this element. As the A operand of the next product (16-bit pairs), the pairs of columns 16 s .. 16 s + 15
/// are registers 8 s .. 8 s + 7 in order, so probabilities need no exchange between threads.
GEN_HOST_DEVICE constexpr int accumulator_row(int thread, int r) {
  return thread / 32 * 16 + thread % 32 / 4 + (r & 2) * 4;
}
GEN_HOST_DEVICE constexpr int accumulator_column(int thread, int r) {
  return r / 4 * 8 + thread % 4 * 2 + (r & 1);
}
/// Which of a thread's two rows (accumulator_row of r = 0 and r = 2) register r belongs to.
GEN_HOST_DEVICE constexpr int accumulator_half(int r) { return (r >> 1) & 1; }

constexpr int kChunk = 8;  // 16-bit elements in 16 bytes, the unit of copies and of ldmatrix

GEN_HOST_DEVICE constexpr int round_up(int x, int unit) { return (x + unit - 1) / unit * unit; }

/// A tile of 16-bit elements in shared memory, rows one after another. Chunks are permuted within a row so that the
/// eight rows that one phase of ldmatrix reads lie in eight different groups of banks: rows R apart begin in the same
/// group, R = 8 / gcd(chunks of a row, 8), and every R-th row turns by one.
template <int Columns>
struct SharedTile {
  static constexpr int kColumns = Columns;
  static constexpr int kChunks = Columns / kChunk;
  static constexpr int kTurns = kChunks % 8 == 0 ? 8 : kChunks % 4 == 0 ? 4 : kChunks % 2 == 0 ? 2 : 1;
  static_assert(Columns % kChunk == 0, "rows are whole chunks");

  uint32_t base;  // shared address, a multiple of 128

  GEN_HOST_DEVICE static constexpr uint32_t bytes(int rows) {
    return static_cast<uint32_t>(rows * kChunks * 16);
  }
  GEN_HOST_DEVICE uint32_t chunk(int row, int chunk) const {
    const int turned = chunk ^ (row / (8 / kTurns) % kTurns);
    return base + static_cast<uint32_t>((row * kChunks + turned) * 16);
  }
  /// A row and a chunk known at run time; chunks after it, by numbers known at compile time, cost one instruction.
  struct Cursor {
    uint32_t origin;
    GEN_HOST_DEVICE uint32_t operator()(int rows, int chunks) const {
      return (origin ^ static_cast<uint32_t>(chunks % kTurns * 16)) +
             static_cast<uint32_t>((rows * kChunks + chunks / kTurns * kTurns) * 16);
    }
  };
  /// `cursor(row, chunk)(16 n, 2 m)` is `chunk(row + 16 n, chunk + 2 m)`, for a chunk of 0 or 1 and a further one that is a
  /// multiple of eight.
  GEN_HOST_DEVICE Cursor cursor(int row, int chunk, int further = 0) const {
    return {this->chunk(row, chunk) + static_cast<uint32_t>(further * 16)};
  }
  /// Of the pair that begins at an even column.
  GEN_HOST_DEVICE uint32_t pair(int row, int column) const {
    return chunk(row, column / kChunk) + static_cast<uint32_t>(column % kChunk * 2);
  }
};

/// Row and chunk that each lane names to ldmatrix.x4, relative to the operand's first row and chunk.
struct Named {
  int row, chunk;
};
/// A [16, 16] from rows of A.
GEN_HOST_DEVICE Named name_a(int lane) { return {lane % 16, lane / 16}; }
/// A [16, 16] from rows of its transpose, by ldmatrix.trans.
GEN_HOST_DEVICE Named name_a_transposed(int lane) { return {lane % 8 + lane / 16 * 8, lane / 8 % 2}; }
/// Two B [16, 8] side by side from rows of B's transpose (16 of them): registers 0, 1 of the first, 2, 3 of the second.
GEN_HOST_DEVICE Named name_b_transposed(int lane) { return {lane % 8 + lane / 16 * 8, lane / 8 % 2}; }
/// Two B [16, 8] side by side from rows of B, by ldmatrix.trans; the first 16 lanes name the first.
GEN_HOST_DEVICE Named name_b(int lane) { return {lane % 16, lane / 16}; }

}  // namespace gen::flash
