#include "gen/core/rng.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "support/support.h"

namespace gen {
namespace {

TEST(DeriveSeed, SeparatesStreamsIndicesAndRanks) {
  std::set<uint64_t> seen;
  for (auto stream : {Stream::init, Stream::data, Stream::noise})
    for (uint64_t index = 0; index < 50; ++index)
      for (uint64_t rank = 0; rank < 2; ++rank) seen.insert(derive_seed(7, stream, index, rank));
  EXPECT_EQ(seen.size(), 300U);
}

TEST(HostRng, BelowIsUniform) {
  HostRng rng(1);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[rng.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10'000, 400);
}

TEST(SampleRng, RowsDoNotDependOnTheBatch) {
  SampleRng whole(5, 0, 6), part(5, 2, 3);
  for (int draw = 0; draw < 3; ++draw) {
    const auto all = whole.normal({2, 3});
    const auto some = part.normal({2, 3});
    EXPECT_TRUE(torch::equal(all.slice(0, 2, 5), some));
  }
}

TEST(Rng, SameSeedSameDraws) {
  EXPECT_TRUE(torch::equal(Rng(3).normal({100}), Rng(3).normal({100})));
  EXPECT_FALSE(torch::equal(Rng(3).normal({100}), Rng(4).normal({100})));
}

}  // namespace
}  // namespace gen
