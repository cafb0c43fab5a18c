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
      int wrong = 0;
      test::emulate<ops::fused::BlockSumShared>(
          1, 1, threads, backwards, [&](const auto& team, auto& shared) {
            for (int repeat = 0; repeat < 3; ++repeat) {
              const float sum =
                  ops::fused::block_sum(team, static_cast<float>(team.thread() + repeat), shared);
              if (sum != static_cast<float>(threads * (threads - 1) / 2 + threads * repeat)) ++wrong;
            }
          });
      EXPECT_EQ(wrong, 0) << threads;
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
