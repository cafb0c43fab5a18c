#include "gen/core/parallel.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>

extern "C" {
int omp_get_max_active_levels(void);
void omp_set_max_active_levels(int levels);
}

namespace gen {
namespace {

TEST(ParallelFor, CoversEveryIndexOnce) {
  for (int64_t n : {0, 1, 2, 7, 1000}) {
    std::vector<int> seen(static_cast<size_t>(n));
    parallel_for(0, n, 3, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (int count : seen) EXPECT_EQ(count, 1);
  }
}

/// The pieces of [5, 5 + n) with 4 threads, in their order.
std::vector<std::pair<int64_t, int64_t>> pieces_of(int64_t n, int64_t grain) {
  const int before = at::get_num_threads();
  at::set_num_threads(4);
  std::mutex mutex;
  std::vector<std::pair<int64_t, int64_t>> pieces;
  parallel_for(5, 5 + n, grain, [&](int64_t first, int64_t last) {
    const std::lock_guard lock(mutex);
    pieces.emplace_back(first, last);
  });
  at::set_num_threads(before);
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

TEST(ParallelFor, HonoursTheGrain) {
  for (const int64_t n : {1, 39, 40, 41, 79, 81, 100, 119, 121, 159, 161, 1000})
    for (const int64_t grain : {1, 7, 40}) {
      const auto pieces = pieces_of(n, grain);
      EXPECT_LE(pieces.size(), 4U);
      int64_t next = 5;
      for (size_t i = 0; i < pieces.size(); ++i) {
        EXPECT_EQ(pieces[i].first, next) << n << " by " << grain;
        next = pieces[i].second;
        if (i + 1 < pieces.size()) {
          EXPECT_GE(pieces[i].second - pieces[i].first, grain) << n << " by " << grain;
        }
      }
      EXPECT_EQ(next, 5 + n) << n << " by " << grain;
    }
}

// tests/cli/threads_test.cpp has the real limits, which hold for a whole process.
TEST(ParallelFor, RunsEveryPieceWhereFewerThreadsComeThanWereAskedFor) {
  const int before = omp_get_max_active_levels();
  omp_set_max_active_levels(0);
  const auto pieces = pieces_of(100, 10);
  omp_set_max_active_levels(before);
  EXPECT_EQ(pieces.size(), 4U);
}

TEST(UseThreads, TakesWhatOpenMpGives) {
  const int before = at::get_num_threads(), levels = omp_get_max_active_levels();
  EXPECT_EQ(use_threads(3), 3);
  EXPECT_EQ(at::get_num_threads(), 3);
  omp_set_max_active_levels(0);
  EXPECT_EQ(use_threads(3), 1);
  EXPECT_EQ(at::get_num_threads(), 1);
  omp_set_max_active_levels(levels);
  at::set_num_threads(before);
}

TEST(OneThreadScope, HoldsForItsThreadAndEnds) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  {
    const OneThreadScope one_thread;
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

TEST(ParallelFor, RethrowsWhatAPieceThrew) {
  EXPECT_THROW(parallel_for(0, 100, 1, [](int64_t, int64_t) { throw std::runtime_error("piece"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace gen
