// clang has no libgomp of its own, and `#pragma omp` under clang would start a second OpenMP runtime beside
// torch's. Calling the entry point that g++ emits for `#pragma omp parallel` uses torch's pool from any compiler.
#include "gen/core/parallel.h"

#include <ATen/Parallel.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <latch>
#include <string_view>
#include <vector>

extern "C" {
void GOMP_parallel(void (*function)(void*), void* data, unsigned num_threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
void omp_set_num_threads(int count);
void omp_set_dynamic(int on);
}

namespace gen {
namespace {

struct Region {
  int64_t begin, end, piece;
  const std::function<void(int64_t, int64_t)>* body;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error;
};

// OpenMP may send fewer threads than were asked for, so each takes every n-th piece of the n that came. A piece stays
// with its thread from call to call, and so do the data in that thread's cache.
void run_pieces(void* data) {
  auto& region = *static_cast<Region*>(data);
  const int64_t stride = omp_get_num_threads() * region.piece;
  for (int64_t first = region.begin + omp_get_thread_num() * region.piece; first < region.end;
       first += stride) {
    try {
      (*region.body)(first, std::min(region.end, first + region.piece));
    } catch (...) {
      if (!region.failed.test_and_set()) region.error = std::current_exception();
    }
  }
}

// The bytes of stack that libgomp gives its threads, 0 where nobody asked for a size: OMP_STACKSIZE is a number, in KiB or
// with B, K, M, G behind it (OpenMP 5.2, 21.2.7).
size_t asked_stack_bytes() {
  const char* asked = std::getenv("OMP_STACKSIZE");
  if (asked == nullptr) asked = std::getenv("GOMP_STACKSIZE");
  if (asked == nullptr) return 0;
  char* rest = nullptr;
  const double number = std::strtod(asked, &rest);
  while (*rest == ' ') ++rest;
  const std::string_view units = "BKMG";
  const auto unit =
      units.find(*rest == '\0' ? 'K' : static_cast<char>(std::toupper(static_cast<unsigned char>(*rest))));
  if (unit == units.npos || !(number > 0)) return 0;
  return static_cast<size_t>(std::min(std::ldexp(number, 10 * static_cast<int>(unit)), 0x1p62));
}

// How many of `wanted` threads can exist at once: libgomp ends the process where the system refuses it one.
int threads_that_start(int wanted) {
  std::vector<pthread_t> threads;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (const size_t bytes = asked_stack_bytes(); bytes > 0) pthread_attr_setstacksize(&attributes, bytes);
  std::latch go(1);
  const auto wait = [](void* latch) -> void* {
    static_cast<std::latch*>(latch)->wait();
    return nullptr;
  };
  for (pthread_t thread{}; static_cast<int>(threads.size()) + 1 < wanted; threads.push_back(thread))
    if (pthread_create(&thread, &attributes, wait, &go) != 0) break;
  pthread_attr_destroy(&attributes);
  go.count_down();
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  return static_cast<int>(threads.size()) + 1;
}

int threads_that_come(int wanted) {
  std::atomic<int> come{1};
  const auto note = [](void* data) {
    if (omp_get_thread_num() == 0) static_cast<std::atomic<int>*>(data)->store(omp_get_num_threads());
  };
  GOMP_parallel(note, &come, static_cast<unsigned>(wanted), 0);
  return come.load();
}

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
  if (begin >= end) return;
  const int64_t threads = at::get_num_threads();
  const int64_t piece = std::max(grain, (end - begin + threads - 1) / threads);
  const int64_t pieces = (end - begin + piece - 1) / piece;
  if (pieces <= 1 || at::in_parallel_region()) return body(begin, end);
  Region region{begin, end, piece, &body, {}, {}};
  GOMP_parallel(run_pieces, &region, static_cast<unsigned>(pieces), 0);
  if (region.error) std::rethrow_exception(region.error);
}

int use_threads(int wanted) {
  if (wanted <= 0) wanted = at::get_num_threads();
  const int given = threads_that_come(threads_that_start(wanted));
  // With OMP_DYNAMIC the load of the machine would decide anew at every region.
  omp_set_dynamic(0);
  if (given != at::get_num_threads()) at::set_num_threads(given);
  return given;
}

OneThreadScope::OneThreadScope() {
  at::internal::lazy_init_num_threads();  // else torch sets the number of a thread that is new to it later
  before_ = omp_get_max_threads();
  omp_set_num_threads(1);
}

OneThreadScope::~OneThreadScope() { omp_set_num_threads(before_); }

}  // namespace gen
