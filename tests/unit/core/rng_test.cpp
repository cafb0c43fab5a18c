#include "gen/core/rng.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "support/support.h"

namespace gen {
namespace {

/// Row per (stream, part): what `draw` makes of the seeds of the first `count` indices. A new stream joins by kNumStreams.
at::Tensor draws_of_all_streams(int64_t count, const std::function<double(uint64_t)>& draw) {
  constexpr uint64_t kParts = 3;  // the splits
  auto rows = torch::empty({static_cast<int64_t>(kNumStreams * kParts), count}, torch::kDouble);
  double* out = rows.data_ptr<double>();
  for (uint64_t stream = 1; stream <= kNumStreams; ++stream)
    for (uint64_t part = 0; part < kParts; ++part)
      for (int64_t i = 0; i < count; ++i)
        *out++ = draw(derive_seed(7, static_cast<Stream>(stream), static_cast<uint64_t>(i), part));
  return rows;
}

/// The largest correlation between two rows.
double largest_correlation(const at::Tensor& rows) {
  return torch::corrcoef(rows).fill_diagonal_(0).abs().max().item<double>();
}

TEST(DeriveSeed, StreamsAndPartsAreUncorrelated) {
  // 1128 pairs: 5 standard deviations, each 1 / sqrt(count).
  EXPECT_LT(largest_correlation(draws_of_all_streams(4000, [](uint64_t s) { return HostRng(s).uniform(); })),
            5 / std::sqrt(4000.0));
  EXPECT_LT(largest_correlation(draws_of_all_streams(
                500, [](uint64_t s) { return Rng(s).normal({1}, torch::kDouble).item<double>(); })),
            5 / std::sqrt(500.0));
}

TEST(DeriveSeed, SeedsIndicesAndPartsGiveDifferentSeeds) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 10; ++seed)
    for (uint64_t index = 0; index < 50; ++index)
      for (uint64_t part = 0; part < 3; ++part) seen.insert(derive_seed(seed, Stream::eval, index, part));
  EXPECT_EQ(seen.size(), 1500U);
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

TEST(Rng, SeedsThatAgreeInTheirLowHalfDrawDifferently) {
  constexpr uint64_t kLow = 5, kOther = kLow | uint64_t{1} << 40;
  EXPECT_FALSE(torch::equal(Rng(kLow).normal({100}), Rng(kOther).normal({100})));
  EXPECT_FALSE(torch::equal(Rng(kLow).permutation(100), Rng(kOther).permutation(100)));
  EXPECT_FALSE(torch::equal(SampleRng(kLow, 0, 1).uniform({100}), SampleRng(kOther, 0, 1).uniform({100})));
  seed_default_generators(kLow);
  const auto first = torch::rand({100});
  seed_default_generators(kOther);
  EXPECT_FALSE(torch::equal(first, torch::rand({100})));
  seed_default_generators(kLow);
  EXPECT_TRUE(torch::equal(first, torch::rand({100})));
}

TEST(Rng, NoTwoOfManySamplesAreEqual) {
  // Of 2^17 seeds of 32 bits, two pairs would be equal.
  std::vector<std::pair<int64_t, int64_t>> firsts;
  for (uint64_t i = 0; i < uint64_t{1} << 17; ++i) {
    at::Generator generator = Rng(derive_seed(0, Stream::sample, i)).generator();
    auto* twister = at::check_generator<at::CPUGeneratorImpl>(generator);
    firsts.emplace_back(twister->random64(), twister->random64());
  }
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(std::adjacent_find(firsts.begin(), firsts.end()), firsts.end());
}

TEST(Rng, ItsStateIsUniform) {
  // Bits of the first words of many seeds that follow one another.
  std::array<double, 64> ones{};
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    at::Generator generator = Rng(seed).generator();
    const uint64_t word = at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
    for (size_t bit = 0; bit < 64; ++bit) ones[bit] += static_cast<double>(word >> bit & 1);
  }
  for (const double count : ones) EXPECT_NEAR(count / 4000, 0.5, 5 * 0.5 / std::sqrt(4000.0));
}

TEST(Rng, SameSeedSameDraws) {
  EXPECT_TRUE(torch::equal(Rng(3).normal({100}), Rng(3).normal({100})));
  EXPECT_FALSE(torch::equal(Rng(3).normal({100}), Rng(4).normal({100})));
}

}  // namespace
}  // namespace gen
