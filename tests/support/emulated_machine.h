// The hardware of cuda/flash/device_machine.cuh on the CPU, after the PTX ISA's text (not after cuda/flash/fragment.h, which
// it checks): shared memory as bytes, copies that arrive as late as they may, matrices spread over the lanes of a warp.
#pragma once

#include <cmath>
#include <set>
#include <stdexcept>

#include "gen/ops/fused/element.h"
#include "support/emulated_team.h"

namespace gen::test {

/// The shared memory of one block, which begins as NaN.
class SharedBytes {
 public:
  static constexpr uint32_t kBase = 1024;  // nothing may count on address 0
  explicit SharedBytes(uint32_t bytes) : bytes_(bytes) {}
  void poison() { std::fill(bytes_.begin(), bytes_.end(), 0xff); }
  uint8_t* at(uint32_t address, uint32_t size) {
    if (address < kBase || address - kBase + size > bytes_.size() || address % size != 0)
      throw std::out_of_range("an address outside the block's shared memory, or not aligned: " +
                              std::to_string(address));
    return bytes_.data() + (address - kBase);
  }

 private:
  std::vector<uint8_t> bytes_;
};

/// What a grid's blocks did that a test may ask for.
struct EmulatedCounts {
  int64_t matrix_reads = 0,
          conflicted_reads = 0;  ///< phases of ldmatrix; those whose rows share a group of banks
};

class EmulatedMachine {
 public:
  EmulatedMachine(EmulatedBlock& block, SharedBytes& shared, EmulatedCounts& counts, int thread,
                  int64_t index)
      : block_(&block), shared_(&shared), counts_(&counts), thread_(thread), index_(index) {}

  int thread() const { return thread_; }
  int fresh_thread() const { return thread_; }
  int64_t block() const { return index_; }
  uint32_t shared() const { return SharedBytes::kBase; }
  void sync() { block_->sync(); }
  void sync_warp() { block_->gather(0); }
  float shuffle_xor(float x, int mask) { return *block_->gather(x)[static_cast<size_t>(lane() ^ mask)]; }
  void atomic_add(float* to, float x) { *to += x; }

  /// The bytes come when they are waited for; until then nothing can be read there.
  void copy(uint32_t to, const void* from, int bytes) { begin_copy(to, from, bytes, 16); }
  void copy_float(uint32_t to, const float* from, bool present) { begin_copy(to, from, present ? 4 : 0, 4); }
  void commit() { groups_.emplace_back(); }
  template <int Pending>
  void wait() {
    while (groups_.size() > Pending + 1) {  // the last is not ended yet
      for (const Copy& copy : groups_.front())
        std::memcpy(shared_->at(copy.to, copy.size), copy.data.data(), copy.size);
      groups_.erase(groups_.begin());
    }
  }

  void store(uint32_t to, uint32_t x) { std::memcpy(shared_->at(to, 4), &x, 4); }
  void store(uint32_t to, const uint32_t (&x)[4]) { std::memcpy(shared_->at(to, 16), x, 16); }
  void load(uint32_t from, uint32_t (&x)[4]) { std::memcpy(x, shared_->at(from, 16), 16); }
  float load_float(uint32_t from) {
    float x;
    std::memcpy(&x, shared_->at(from, 4), 4);
    return x;
  }

  // "Matrix load instruction: ldmatrix": thread l of a warp names row l % 8 of matrix l / 8 and gets of each matrix the two
  // elements of row l / 4 at columns 2 (l % 4) and the next; transposed, of column l / 4 at those rows.
  void load_matrices(uint32_t row, uint32_t (&x)[4]) { read<4, false>(row, x); }
  void load_transposed(uint32_t row, uint32_t (&x)[4]) { read<4, true>(row, x); }
  void load_transposed(uint32_t row, uint32_t (&x)[2]) { read<2, true>(row, x); }

  // "Matrix Fragments for mma.m16n8k16 with floating point type".
  template <typename T>
  void multiply(float* c, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    struct Operands {
      uint32_t a[4], b[2];
    };
    const auto all = block_->gather(Operands{{a[0], a[1], a[2], a[3]}, {b0, b1}});
    const auto element = [](uint32_t pair, int half) {
      return ops::fused::to_float(T{static_cast<uint16_t>(pair >> (16 * half))});
    };
    const int group = lane() / 4, in_group = lane() % 4;
    for (int i = 0; i < 4; ++i) {
      const int row = group + (i < 2 ? 0 : 8), column = in_group * 2 + i % 2;
      for (int k = 0; k < 16; ++k) {
        const int a_lane = row % 8 * 4 + k % 8 / 2, a_register = row / 8 + k / 8 * 2;
        const int b_lane = column * 4 + k % 8 / 2, b_register = k / 8;
        c[i] += element(all[static_cast<size_t>(a_lane)]->a[a_register], k % 2) *
                element(all[static_cast<size_t>(b_lane)]->b[b_register], k % 2);
      }
    }
  }

 private:
  struct Copy {
    uint32_t to, size;
    std::array<uint8_t, 16> data;
  };
  struct Row {
    uint16_t element[8];
    uint32_t address;
  };

  int lane() const { return thread_ % 32; }

  void begin_copy(uint32_t to, const void* from, int bytes, uint32_t size) {
    if (bytes < 0 || bytes > static_cast<int>(size))
      throw std::out_of_range("a copy of more bytes than it has room for");
    if (bytes > 0 && reinterpret_cast<uintptr_t>(from) % size != 0)
      throw std::out_of_range("a copy from an address not aligned");
    Copy copy{to, size, {}};
    std::memcpy(copy.data.data(), from, static_cast<size_t>(bytes));
    std::memset(shared_->at(to, size), 0xff, size);  // as early as the hardware may begin
    groups_.back().push_back(copy);
  }

  template <int Matrices, bool Transposed>
  void read(uint32_t address, uint32_t (&x)[Matrices]) {
    Row mine{{}, address};
    if (lane() < 8 * Matrices) std::memcpy(mine.element, shared_->at(address, 16), 16);
    const auto all = block_->gather(mine);
    const auto row = [&](int matrix, int r) -> const Row& {
      return *all[static_cast<size_t>(8 * matrix + r)];
    };
    if (lane() < Matrices) {
      std::set<uint32_t> groups;
      for (int r = 0; r < 8; ++r) groups.insert(row(lane(), r).address / 16 % 8);
      counts_->matrix_reads += 1;
      counts_->conflicted_reads += groups.size() < 8;
    }
    const int line = lane() / 4, pair = lane() % 4 * 2;
    for (int m = 0; m < Matrices; ++m) {
      const uint32_t low = Transposed ? row(m, pair).element[line] : row(m, line).element[pair];
      const uint32_t high = Transposed ? row(m, pair + 1).element[line] : row(m, line).element[pair + 1];
      x[m] = low | high << 16;
    }
  }

  EmulatedBlock* block_;
  SharedBytes* shared_;
  EmulatedCounts* counts_;
  int thread_;
  int64_t index_;
  std::vector<std::vector<Copy>> groups_{1};
};

/// body(machine) for every thread of `blocks` blocks.
template <class Body>
EmulatedCounts emulate_machine(int64_t blocks, int threads, uint32_t shared_bytes, bool backwards,
                               const Body& body) {
  EmulatedBlock block(threads, backwards);
  SharedBytes shared(shared_bytes);
  EmulatedCounts counts;
  for (int64_t i = 0; i < blocks; ++i) {
    shared.poison();
    block.run([&](int thread) {
      EmulatedMachine machine(block, shared, counts, thread, i);
      body(machine);
    });
  }
  return counts;
}

}  // namespace gen::test
