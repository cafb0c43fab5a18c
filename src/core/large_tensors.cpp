#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <limits>

#include "gen/core/memory.h"

namespace gen {
namespace {

// Asking the system what is free takes some 50 us, and filling this many bytes takes a thousand times as long.
constexpr size_t kLarge = size_t{256} << 20;

// torch's own allocator, which large requests reach only where there is room.
class WatchedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes >= kLarge) require(bytes);
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    inner_->copy_data(to, from, bytes);
  }

 private:
  static void require(size_t bytes) {
    try {
      require_memory(static_cast<int64_t>(std::min<size_t>(bytes, std::numeric_limits<int64_t>::max())),
                     "a tensor");
    } catch (const OutOfMemoryError& error) {
      throw TensorTooLarge(error.what());
    }
  }

  c10::Allocator* inner_ = c10::GetDefaultCPUAllocator();
};

}  // namespace

void refuse_tensors_beyond_free_memory() {
  static WatchedAllocator allocator;
  constexpr uint8_t kAboveDefault = 1;
  c10::SetCPUAllocator(&allocator, kAboveDefault);
}

}  // namespace gen
