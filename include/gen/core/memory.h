// How the process holds memory, and how much there is.
#pragma once

#include <cstdint>
#include <string>

#include "gen/core/error.h"

namespace gen {

/// Tells the allocator to keep what is freed. Each step frees and takes the same large buffers; handing them back to
/// the system in between would make it clear every page again. Called once, at the start of the program.
void keep_freed_memory();

/// Memory that the process may still take, and what sets this bound.
struct FreeMemory {
  int64_t bytes = 0;
  std::string bound;  ///< "the machine", "the container's limit", "the limit on address space (ulimit -v)"
};
/// The least of what the machine has free (what caches hold counts as free), what is left under the limits of the
/// container (cgroup), and under RLIMIT_AS.
FreeMemory free_memory();

/// Throws OutOfMemoryError "WHAT needs 16.0 GiB, and 5.2 GiB are free (the machine)" where `bytes` are more than
/// free_memory().
void require_memory(int64_t bytes, const std::string& what);

/// A tensor that was refused because nothing like its size is free.
struct TensorTooLarge : OutOfMemoryError {
  using OutOfMemoryError::OutOfMemoryError;
};

/// From now on tensors, large ones and the sum of small ones, are handed out only where that much is free, and refused with
/// TensorTooLarge otherwise: a system that promises more than it has would end the process without a word. Called once.
void refuse_tensors_beyond_free_memory();

}  // namespace gen
