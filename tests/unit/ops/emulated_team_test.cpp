#include "support/emulated_team.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "gen/ops/fused/team.h"

namespace gen {
namespace {

TEST(EmulatedTeam, SumsOverABlock) {
  for (const bool backwards : {false, true})
    for (const int threads : {32, 96, 256}) {
      std::vector<float> sums(static_cast<size_t>(threads));
      test::emulate<ops::fused::BlockSumShared>(
          1, 1, threads, backwards, [&](const auto& team, auto& shared) {
            float sum = 0;
            for (int repeat = 0; repeat < 3; ++repeat)
              sum = ops::fused::block_sum(team, static_cast<float>(team.thread()), shared);
            sums[static_cast<size_t>(team.thread())] = sum;
          });
      for (const float sum : sums) EXPECT_EQ(sum, static_cast<float>(threads * (threads - 1) / 2));
    }
}

TEST(EmulatedTeam, NoticesABarrierThatSomeThreadsMiss) {
  EXPECT_THROW(test::emulate(1, 1, 64, false,
                             [](const auto& team, auto&) {
                               if (team.thread() < 40) team.sync();
                             }),
               std::logic_error);
}

TEST(EmulatedTeam, ALackingBarrierShowsInTheOrderOfThreads) {
  struct Shared {
    int value;
  };
  std::vector<int> seen;
  for (const bool backwards : {false, true})
    test::emulate<Shared>(1, 1, 64, backwards, [&](const auto& team, auto& shared) {
      if (team.thread() == 0) shared.value = 7;
      if (team.thread() == 63) seen.push_back(shared.value);
    });
  EXPECT_EQ(seen, (std::vector<int>{7, -1}));
}

}  // namespace
}  // namespace gen
