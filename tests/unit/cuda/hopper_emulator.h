// A thread block of the Hopper kernel on the CPU: shared memory as bytes, TMA and wgmma after the PTX ISA's
// text (not after cuda/flash_hopper/layout.h, which they check), mbarriers between threads. It runs the
// kernel's own order of loads and products (order.h), softmax and schedule.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "flash/softmax.h"
#include "flash_hopper/order.h"

namespace gen::test {

namespace hopper = gen::flash_hopper;

/// One head's 16-bit matrix [rows, dim], contiguous.
template <typename T>
struct Matrix {
  const T* data;
  int rows, dim;
};

/// PTX ISA, mbarrier: a phase ends when all arrivals came and all announced bytes did.
class EmulatedBarriers {
 public:
  void init(uint32_t barrier, int arrivals) { state_[barrier] = {arrivals, arrivals, 0, 0}; }
  void arrive(uint32_t barrier, int times, int64_t announced_bytes) {
    change(barrier, [&](State& s) { s.pending -= times, s.bytes += announced_bytes; });
  }
  void complete(uint32_t barrier, int64_t bytes) {
    change(barrier, [&](State& s) { s.bytes -= bytes; });
  }
  void wait(uint32_t barrier, uint32_t parity) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return ended(barrier, parity); }))
      throw std::runtime_error("deadlock at barrier " + std::to_string(barrier));
  }

  /// The loading thread's wait and its end, so that others can tell whether it still has something to do.
  void wait_as_loader(uint32_t barrier, uint32_t parity) {
    {
      const std::lock_guard lock(mutex_);
      loader_ = Waiting{barrier, parity};
      changed_.notify_all();
    }
    wait(barrier, parity);
    const std::lock_guard lock(mutex_);
    loader_.reset();
  }
  void loader_ends() {
    const std::lock_guard lock(mutex_);
    loader_ended_ = true;
    changed_.notify_all();
  }
  /// Returns when the loader has overwritten all that the arrivals so far allow it to.
  void let_loader_go_on() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return loader_ended_ || (loader_ && !ended(loader_->barrier, loader_->parity));
    });
  }

 private:
  struct Waiting {
    uint32_t barrier, parity;
  };
  bool ended(uint32_t barrier, uint32_t parity) { return state_.at(barrier).phase != parity; }
  struct State {
    int arrivals = 0, pending = 0;
    int64_t bytes = 0;
    uint32_t phase = 0;
  };
  template <typename Change>
  void change(uint32_t barrier, Change apply) {
    const std::lock_guard lock(mutex_);
    State& state = state_.at(barrier);
    apply(state);
    if (state.pending < 0) throw std::runtime_error("more arrivals than readers");
    if (state.pending == 0 && state.bytes == 0) state.pending = state.arrivals, state.phase ^= 1U;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, State> state_;
  std::optional<Waiting> loader_;  // none while it works
  bool loader_ended_ = false;
};

/// Swizzling mode 128B of the PTX ISA: within 8 rows of 128 bytes, 16-byte chunk c of row r lies at chunk c
/// xor r.
inline uint32_t swizzled(uint32_t address) {
  const uint32_t row = address / 128 % 8, chunk = address / 16 % 8;
  return address / 128 * 128 + (chunk ^ row) * 16 + address % 16;
}

/// The operand that a wgmma descriptor names, decoded after "Matrix Descriptor Format" and "Canonical
/// Layouts".
struct DecodedOperand {
  uint32_t start, leading, stride, mode;
  explicit DecodedOperand(uint64_t bits)
      : start(static_cast<uint32_t>(bits & 0x3FFF) << 4),
        leading(static_cast<uint32_t>(bits >> 16 & 0x3FFF) << 4),
        stride(static_cast<uint32_t>(bits >> 32 & 0x3FFF) << 4),
        mode(static_cast<uint32_t>(bits >> 62)) {}
  /// Address of element (mn, k) of 16 bits: ((8, m), (T, 2k)) : ((8T, stride), (1, T)) in elements, T = 8.
  uint32_t k_major(int mn, int k) const {
    return swizzled(start + static_cast<uint32_t>(mn / 8) * stride +
                    static_cast<uint32_t>(mn % 8 * 128 + k * 2));
  }
  /// ((T, 8, m), (8, k)) : ((1, T, leading), (8T, stride)).
  uint32_t mn_major(int mn, int k) const {
    return swizzled(start + static_cast<uint32_t>(mn / 64) * leading + static_cast<uint32_t>(mn % 64 * 2) +
                    static_cast<uint32_t>(k / 8) * stride + static_cast<uint32_t>(k % 8 * 128));
  }
};

template <typename T>
float element(const std::vector<uint8_t>& shared, uint32_t address) {
  T value;
  std::memcpy(&value, shared.data() + address, sizeof value);
  return static_cast<float>(value);
}

/// Figure "WGMMA .m64nNk16 register fragment layout for accumulator matrix D": d[i] of a thread.
inline int figure_row(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + (i % 4 >= 2 ? 8 : 0); }
inline int figure_column(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

/// TMA on behalf of the loading thread. Bytes are written at once, the earliest that the hardware may, and
/// reported later; a warpgroup that frees a stage goes on only when the stage has been written, so an order
/// that frees it too early reads wrong numbers every time.
template <typename Tile, typename T>
struct EmulatedLoader {
  std::vector<uint8_t>& shared;
  EmulatedBarriers& barriers;
  Matrix<T> query, key, value;
  int row_tile;

  void wait(uint32_t barrier, uint32_t parity) { barriers.wait_as_loader(barrier, parity); }
  void load_query(uint32_t barrier) {
    copy(Tile::query(), query, barrier, row_tile * Tile::kRows, Tile::kRows);
  }
  void load_key(uint32_t barrier, int stage, int tile) {
    copy(Tile::key(stage), key, barrier, tile * Tile::kKeys, Tile::kKeys);
  }
  void load_value(uint32_t barrier, int stage, int tile) {
    copy(Tile::value(stage), value, barrier, tile * Tile::kKeys, Tile::kKeys);
  }

 private:
  void copy(uint32_t offset, const Matrix<T>& from, uint32_t barrier, int first, int rows) {
    barriers.arrive(barrier, 1, int64_t{2} * rows * Tile::kDim);
    for (int block = 0; block < Tile::kDim / 64; ++block) {
      const uint32_t box = offset + static_cast<uint32_t>(block * rows * 128);
      for (int row = 0; row < rows; ++row)
        for (int column = 0; column < 64; ++column) {
          const bool inside = first + row < from.rows;
          const T x = inside ? from.data[(first + row) * from.dim + block * 64 + column] : T(0);
          std::memcpy(shared.data() + swizzled(box + static_cast<uint32_t>(row * 128 + column * 2)), &x,
                      sizeof x);
        }
      std::this_thread::yield();
    }
    barriers.complete(barrier, int64_t{2} * rows * Tile::kDim);
  }
};

/// A warpgroup's 128 threads in step. Products are carried out when they are waited for, the latest that the
/// hardware may, from what shared memory then holds.
template <typename Tile, typename T>
struct EmulatedWarpgroup {
  static constexpr int kScores = Tile::kKeys / 2, kOutputs = Tile::kDim / 2;
  template <int Count>
  using PerThread = std::vector<std::array<float, Count>>;

  std::vector<uint8_t>& shared;
  EmulatedBarriers& barriers;
  hopper::NarrowBand band;
  float scale_log2;
  int warpgroup, first_row, lq;
  hopper::RowState state[128];
  float factor[128][2] = {};
  float scores[128][kScores] = {};
  float out[128][kOutputs] = {};
  uint16_t p[128][kScores] = {};
  int score_stage = 0, output_stage = 0;

  void wait(uint32_t barrier, uint32_t parity) { barriers.wait(barrier, parity); }
  void arrive(uint32_t barrier) {
    barriers.arrive(barrier, 4, 0);
    barriers.let_loader_go_on();
  }
  void enqueue_scores(int stage) { score_stage = stage; }
  void enqueue_outputs(int stage) { output_stage = stage; }

  template <int Pending>
  void finish_scores() {
    const uint64_t query =
        hopper::k_major(Tile::query() + static_cast<uint32_t>(warpgroup * hopper::kWarpgroupRows * 128));
    const uint64_t key = hopper::k_major(Tile::key(score_stage));
    std::vector<float> a(64 * 16), b(Tile::kKeys * 16), d(64 * Tile::kKeys);
    for (int step = 0; step < Tile::kDim / 16; ++step) {
      const DecodedOperand left(hopper::advance(query, hopper::k_major_step(step, Tile::kRows)));
      const DecodedOperand right(hopper::advance(key, hopper::k_major_step(step, Tile::kKeys)));
      if (left.mode != 1 || right.mode != 1) throw std::runtime_error("not the 128-byte swizzle");
      for (int k = 0; k < 16; ++k) {
        for (int m = 0; m < 64; ++m) a[m * 16 + k] = element<T>(shared, left.k_major(m, k));
        for (int n = 0; n < Tile::kKeys; ++n)
          b[k * Tile::kKeys + n] = element<T>(shared, right.k_major(n, k));
      }
      multiply(a, b, d, Tile::kKeys);
    }
    for (int t = 0; t < 128; ++t)
      for (int i = 0; i < kScores; ++i)
        scores[t][i] = d[figure_row(t, i) * Tile::kKeys + figure_column(t, i)];
  }

  void finish_outputs() {
    const uint64_t value = hopper::mn_major(Tile::value(output_stage), Tile::kKeys);
    std::vector<float> a(64 * 16), b(16 * Tile::kDim), d(64 * Tile::kDim);
    for (int step = 0; step < Tile::kKeys / 16; ++step) {
      // Figure "register fragment layout for matrix A": pairs (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t +
      // 8).
      for (int t = 0; t < 128; ++t)
        for (int i = 0; i < 8; ++i) {
          const int row = t / 32 * 16 + t % 32 / 4 + (i / 2 % 2) * 8, k = t % 4 * 2 + i % 2 + i / 4 * 8;
          T x;
          std::memcpy(&x, &p[t][8 * step + i], sizeof x);
          a[row * 16 + k] = static_cast<float>(x);
        }
      constexpr int kSlice = Tile::kDim < 128 ? Tile::kDim : 128;
      for (int slice = 0; slice < Tile::kDim / kSlice; ++slice) {
        const DecodedOperand right(hopper::advance(
            value, hopper::mn_major_step(step) + hopper::mn_major_block(slice * kSlice / 64, Tile::kKeys)));
        for (int k = 0; k < 16; ++k)
          for (int n = 0; n < kSlice; ++n)
            b[k * Tile::kDim + slice * kSlice + n] = element<T>(shared, right.mn_major(n, k));
      }
      multiply(a, b, d, Tile::kDim);
    }
    for (int t = 0; t < 128; ++t)
      for (int i = 0; i < kOutputs; ++i) out[t][i] += d[figure_row(t, i) * Tile::kDim + figure_column(t, i)];
  }

  void softmax(int tile, bool may_need_mask) {
    const int first = tile * Tile::kKeys;
    const int end = std::min(first_row + hopper::kWarpgroupRows, lq);
    const bool masks = may_need_mask &&
                       !hopper::all_visible(hopper::visible_to_all(band, first_row, end), first, Tile::kKeys);
    float maximum[128][2];
    for (int t = 0; t < 128; ++t) {
      const int row = first_row + hopper::accumulator_row(t, 0);
      const hopper::Visible rows[2] = {hopper::visible(band, row), hopper::visible(band, row + 8)};
      if (masks) hopper::mask_scores(scores[t], t, first, rows);
      hopper::row_maximum(scores[t], state[t], maximum[t]);
    }
    for (int quad = 0; quad < 128; quad += 4)
      for (int half = 0; half < 2; ++half) {
        float most = maximum[quad][half];
        for (int lane = 1; lane < 4; ++lane) most = std::max(most, maximum[quad + lane][half]);
        for (int lane = 0; lane < 4; ++lane) maximum[quad + lane][half] = most;
      }
    for (int t = 0; t < 128; ++t)
      hopper::exponentiate(scores[t], maximum[t], scale_log2, state[t], factor[t]);
  }

  void to_operand() {
    for (int t = 0; t < 128; ++t)
      for (int i = 0; i < kScores; ++i) {
        const T rounded(scores[t][i]);
        std::memcpy(&p[t][i], &rounded, sizeof rounded);
      }
  }

  void rescale() {
    for (int t = 0; t < 128; ++t)
      for (int i = 0; i < kOutputs; ++i) out[t][i] *= factor[t][hopper::accumulator_half(i)];
  }

 private:
  static void multiply(const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& d,
                       int n) {
    for (int m = 0; m < 64; ++m)
      for (int k = 0; k < 16; ++k) {
        const float left = a[m * 16 + k];
        for (int j = 0; j < n; ++j) d[m * n + j] += left * b[k * n + j];
      }
  }
};

}  // namespace gen::test
