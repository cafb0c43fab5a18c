// A block of GPU threads on one CPU thread: the team that include/gen/ops/fused's kernel bodies are tested with.
#pragma once

#include <ucontext.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

namespace gen::test {

/// Runs the threads of one block, each on a stack of its own, a warp at a time from one barrier to the next. Throws
/// std::logic_error where some threads wait for others that have gone another way, which would hang a GPU.
class EmulatedBlock {
 public:
  /// Threads run in their order between two meeting points, or in the opposite one: what depends on it lacks a barrier.
  EmulatedBlock(int threads, bool backwards);
  void run(const std::function<void(int thread)>& body);

  int num_threads() const { return static_cast<int>(threads_.size()); }
  int current() const { return current_; }
  void sync();
  /// Eight bytes from the lane whose number differs in the bits of `mask`.
  uint64_t exchange(uint64_t value, int mask);
  /// What all lanes of the warp give, in their order, once the last has come. Good until the warp meets the next time but
  /// one.
  template <class Payload>
  std::array<const Payload*, 32> gather(const Payload& mine) {
    static_assert(sizeof(Payload) <= kPayloadBytes && std::is_trivially_copyable_v<Payload>);
    auto& me = threads_[static_cast<size_t>(current_)];
    me.turn ^= 1;
    std::memcpy(me.payload[me.turn].data(), &mine, sizeof mine);
    const size_t first = static_cast<size_t>(current_ / 32 * 32);
    const int turn = me.turn;
    wait(State::at_shuffle);
    std::array<const Payload*, 32> all;
    for (size_t i = 0; i < 32; ++i)
      all[i] = reinterpret_cast<const Payload*>(threads_[first + i].payload[turn].data());
    return all;
  }

 private:
  static constexpr size_t kPayloadBytes = 32;
  enum class State { ready, at_barrier, at_shuffle, done };
  struct Thread {
    ucontext_t context;
    std::vector<char> stack;
    State state;
    uint64_t slot;
    alignas(16) std::array<char, kPayloadBytes> payload[2];
    int turn = 0;
    std::exception_ptr error;
  };
  static void enter(unsigned low, unsigned high);
  void wait(State state);
  void run_warp(int warp);
  bool pass_barrier();

  std::vector<Thread> threads_;
  bool backwards_;
  int current_ = 0;
  ucontext_t scheduler_;
  const std::function<void(int)>* body_ = nullptr;
};

/// The interface of DeviceTeam (gen/ops/fused/team.h) over an emulated block.
class EmulatedTeam {
 public:
  EmulatedTeam(EmulatedBlock& block, int thread, int64_t x, int64_t y)
      : block_(&block), thread_(thread), x_(x), y_(y) {}
  int thread() const { return thread_; }
  int threads() const { return block_->num_threads(); }
  int64_t block() const { return x_; }
  int64_t block_y() const { return y_; }
  void sync() const { block_->sync(); }
  template <class T>
  T shuffle_xor(T value, int mask) const {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = block_->exchange(bits, mask);
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  EmulatedBlock* block_;
  int thread_;
  int64_t x_, y_;
};

struct EmptyShared {};

/// body(team, shared) for every thread of a grid of `x` by `y` blocks. Shared memory begins as NaN.
template <class Shared = EmptyShared, class Body>
void emulate(int64_t x, int64_t y, int threads, bool backwards, const Body& body) {
  EmulatedBlock block(threads, backwards);
  const auto shared = std::make_unique<Shared>();
  for (int64_t j = 0; j < y; ++j)
    for (int64_t i = 0; i < x; ++i) {
      std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(Shared));
      block.run([&](int thread) { body(EmulatedTeam(block, thread, i, j), *shared); });
    }
}

/// As DeviceTeam for a body whose threads never meet: quicker, for it needs no stacks.
struct LoneThread {
  int me, count;
  int64_t x, y;
  int thread() const { return me; }
  int threads() const { return count; }
  int64_t block() const { return x; }
  int64_t block_y() const { return y; }
};
template <class Body>
void emulate_alone(int64_t x, int64_t y, int threads, const Body& body) {
  for (int64_t j = 0; j < y; ++j)
    for (int64_t i = 0; i < x; ++i)
      for (int t = 0; t < threads; ++t) body(LoneThread{t, threads, i, j});
}

}  // namespace gen::test
