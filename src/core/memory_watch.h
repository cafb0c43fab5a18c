// Watches what tensors take against what is free, without asking the system each time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "gen/core/memory.h"

namespace gen {

/// Asks what is free once for each quarter of it that was handed out: hardly ever where much is left, often where little
/// is. A system that promises more than it has (overcommit, a container's limit) ends the process without a word.
class MemoryWatch {
 public:
  /// `kept` is what was freed and can be handed out again to tensors below kFromHeap: it counts as free to them.
  MemoryWatch(std::function<FreeMemory()> free, std::function<int64_t()> kept)
      : free_(std::move(free)), kept_(std::move(kept)) {}
  /// Before a tensor of so many bytes is handed out, from any thread. Throws TensorTooLarge where it and kReserve do not fit.
  void before(size_t bytes);

  static constexpr size_t kLarge = size_t{256} << 20;    ///< always asked for: filling it costs far more
  static constexpr size_t kFromHeap = size_t{32} << 20;  ///< below it glibc hands out again what was freed
  static constexpr int64_t kReserve = int64_t{8} << 20;  ///< for stacks, files and all that is no tensor

 private:
  std::function<FreeMemory()> free_;
  std::function<int64_t()> kept_;
  std::atomic<int64_t> unasked_{0};  // what may be handed out before the system is asked again
};

}  // namespace gen
