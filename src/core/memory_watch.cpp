#include "core/memory_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "gen/core/units.h"

namespace gen {

void MemoryWatch::before(size_t bytes) {
  const auto wanted = static_cast<int64_t>(std::min<size_t>(bytes, std::numeric_limits<int64_t>::max() / 2));
  if (bytes < kLarge && unasked_.fetch_sub(wanted) >= wanted) return;
  const FreeMemory free = free_();
  const int64_t room = free.bytes > std::numeric_limits<int64_t>::max() / 2
                           ? free.bytes
                           : free.bytes + (bytes < kFromHeap ? kept_() : 0);
  if (wanted > room - kReserve)
    throw TensorTooLarge(
        fmt::format("a tensor needs {}, and {} are free ({}), of which {} are kept for all else",
                    human_bytes(static_cast<double>(wanted)), human_bytes(static_cast<double>(room)),
                    free.bound, human_bytes(static_cast<double>(kReserve))));
  unasked_.store((room - wanted) / 4);
}

}  // namespace gen
