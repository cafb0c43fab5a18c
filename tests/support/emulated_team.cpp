#include "support/emulated_team.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

namespace gen::test {
namespace {

constexpr size_t kStackBytes = size_t{64} << 10;
constexpr int kWarp = 32;

}  // namespace

EmulatedBlock::EmulatedBlock(int threads, bool backwards)
    : threads_(static_cast<size_t>(threads)), backwards_(backwards) {
  for (auto& thread : threads_) thread.stack.resize(kStackBytes);
}

void EmulatedBlock::enter(unsigned low, unsigned high) {
  auto* block = reinterpret_cast<EmulatedBlock*>(uintptr_t{low} | (uintptr_t{high} << 32));
  auto& me = block->threads_[static_cast<size_t>(block->current_)];
  try {
    (*block->body_)(block->current_);
  } catch (...) {
    me.error = std::current_exception();
  }
  me.state = State::done;
}

void EmulatedBlock::run(const std::function<void(int)>& body) {
  body_ = &body;
  const auto self = reinterpret_cast<uintptr_t>(this);
  for (auto& thread : threads_) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler_;
    makecontext(&thread.context, reinterpret_cast<void (*)()>(&EmulatedBlock::enter), 2,
                static_cast<unsigned>(self & 0xffffffffU), static_cast<unsigned>(self >> 32));
    thread.state = State::ready;
    thread.error = nullptr;
    thread.turn = 0;
  }
  do {
    const int warps = (num_threads() + kWarp - 1) / kWarp;
    for (int i = 0; i < warps; ++i) run_warp(backwards_ ? warps - 1 - i : i);
  } while (pass_barrier());
}

/// On to where its threads are done or wait at a barrier, before another warp moves: as far apart as warps can be.
void EmulatedBlock::run_warp(int warp) {
  const int begin = warp * kWarp, end = std::min(num_threads(), begin + kWarp);
  const auto first = threads_.begin() + begin, last = threads_.begin() + end;
  const auto in = [](State state) { return [state](const Thread& t) { return t.state == state; }; };
  while (std::any_of(first, last, in(State::ready))) {
    for (int i = begin; i < end; ++i) {
      current_ = backwards_ ? begin + end - 1 - i : i;
      auto& thread = threads_[static_cast<size_t>(current_)];
      if (thread.state == State::ready) swapcontext(&scheduler_, &thread.context);
      if (thread.error) std::rethrow_exception(thread.error);
    }
    if (std::all_of(first, last, in(State::at_shuffle)))
      std::for_each(first, last, [](Thread& t) { t.state = State::ready; });
  }
}

/// False when every thread is done.
bool EmulatedBlock::pass_barrier() {
  const auto all = [&](State state) {
    return std::all_of(threads_.begin(), threads_.end(), [&](const Thread& t) { return t.state == state; });
  };
  if (all(State::done)) return false;
  if (!all(State::at_barrier))
    throw std::logic_error("threads of a block wait for others that will not come");
  for (auto& thread : threads_) thread.state = State::ready;
  return true;
}

void EmulatedBlock::wait(State state) {
  auto& me = threads_[static_cast<size_t>(current_)];
  me.state = state;
  swapcontext(&me.context, &scheduler_);
}

void EmulatedBlock::sync() { wait(State::at_barrier); }

uint64_t EmulatedBlock::exchange(uint64_t value, int mask) {
  const auto me = static_cast<size_t>(current_);
  threads_[me].slot = value;
  wait(State::at_shuffle);
  const uint64_t got = threads_[me ^ static_cast<size_t>(mask)].slot;
  wait(State::at_shuffle);  // nobody writes a slot before all have read
  return got;
}

}  // namespace gen::test
