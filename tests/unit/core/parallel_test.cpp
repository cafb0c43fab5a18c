#include "gen/core/parallel.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <mutex>
#include <stdexcept>

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

TEST(ParallelFor, HonoursTheGrain) {
  const int before = at::get_num_threads();
  at::set_num_threads(4);
  std::mutex mutex;
  std::vector<int64_t> sizes;
  parallel_for(0, 100, 40, [&](int64_t first, int64_t last) {
    std::lock_guard lock(mutex);
    sizes.push_back(last - first);
  });
  at::set_num_threads(before);
  EXPECT_LE(sizes.size(), 3U);
}

TEST(ParallelFor, RethrowsWhatAPieceThrew) {
  EXPECT_THROW(parallel_for(0, 100, 1, [](int64_t, int64_t) { throw std::runtime_error("piece"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace gen
