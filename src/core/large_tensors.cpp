#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/memory_watch.h"
#include "gen/core/memory.h"

namespace gen {
namespace {

int64_t kept_by_the_heap() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  return static_cast<int64_t>(mallinfo2().fordblks);
#else
  return 0;
#endif
}

// torch's own allocator, which requests reach only where there is room.
class WatchedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    watch_.before(bytes);
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    inner_->copy_data(to, from, bytes);
  }

 private:
  MemoryWatch watch_{free_memory, kept_by_the_heap};
  c10::Allocator* inner_ = c10::GetDefaultCPUAllocator();
};

}  // namespace

void refuse_tensors_beyond_free_memory() {
  static WatchedAllocator allocator;
  constexpr uint8_t kAboveDefault = 1;
  c10::SetCPUAllocator(&allocator, kAboveDefault);
}

}  // namespace gen
