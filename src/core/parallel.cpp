// clang has no libgomp of its own, and `#pragma omp` under clang would start a second OpenMP runtime beside
// torch's. Calling the entry point that g++ emits for `#pragma omp parallel` uses torch's pool from any compiler.
#include "gen/core/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>

extern "C" {
void GOMP_parallel(void (*function)(void*), void* data, unsigned num_threads, unsigned flags);
int omp_get_thread_num(void);
}

namespace gen {
namespace {

struct Region {
  int64_t begin, end, piece;
  const std::function<void(int64_t, int64_t)>* body;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error;
};

void run_piece(void* data) {
  auto& region = *static_cast<Region*>(data);
  const int64_t first = region.begin + omp_get_thread_num() * region.piece;
  const int64_t last = std::min(region.end, first + region.piece);
  if (first >= last) return;
  try {
    (*region.body)(first, last);
  } catch (...) {
    if (!region.failed.test_and_set()) region.error = std::current_exception();
  }
}

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
  if (begin >= end) return;
  const int64_t pieces =
      std::min<int64_t>(at::get_num_threads(), (end - begin + grain - 1) / std::max<int64_t>(1, grain));
  if (pieces <= 1 || at::in_parallel_region()) return body(begin, end);
  Region region{begin, end, (end - begin + pieces - 1) / pieces, &body, {}, {}};
  GOMP_parallel(run_piece, &region, static_cast<unsigned>(pieces), 0);
  if (region.error) std::rethrow_exception(region.error);
}

}  // namespace gen
