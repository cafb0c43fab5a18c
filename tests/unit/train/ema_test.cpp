#include "train/ema.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

struct Scalar : torch::nn::Module {
  at::Tensor w = register_parameter("w", torch::zeros({2}));
  at::Tensor count = register_buffer("count", torch::zeros({}, at::kLong));
};

EmaOptions constant(double decay) {
  EmaOptions options;
  options.decay = decay;
  return options;
}
EmaOptions half_life(double samples) {
  EmaOptions options;
  options.half_life_samples = samples;
  return options;
}

TEST(EmaDecay, WarmsUpToTheConstant) {
  EXPECT_DOUBLE_EQ(ema_decay(constant(0.999), 0, 64), 0.1);
  EXPECT_DOUBLE_EQ(ema_decay(constant(0.999), 10, 64), 11.0 / 20.0);
  EXPECT_DOUBLE_EQ(ema_decay(constant(0.999), 1'000'000, 64), 0.999);
}

TEST(EmaDecay, HalvesOverItsHalfLife) {
  // Long after the ramp-up, half_life / batch updates multiply the old weights by 1/2.
  const double d = ema_decay(half_life(6400), 1'000'000, 64);
  EXPECT_NEAR(std::pow(d, 100), 0.5, 1e-12);
  EXPECT_EQ(ema_decay(half_life(6400), 0, 64), 0.0);
  EXPECT_NEAR(ema_decay(half_life(6400), 20, 64), 0.5, 1e-12);  // ramp: a half-life of one batch
}

TEST(Ema, MatchesItsClosedFormForARamp) {
  // Weights 1, 2, 3, ... under a constant decay d (n large): sum of (1 - d) d^(N - k) k.
  Scalar module;
  Ema ema(module, constant(0.9), 1);
  const int64_t start = 1'000'000;
  double expected = 0;
  for (int64_t k = 1; k <= 50; ++k) {
    torch::NoGradGuard no_grad;
    module.w.fill_(static_cast<double>(k));
    ema.update(start + k);
    expected = 0.9 * expected + 0.1 * static_cast<double>(k);
  }
  EXPECT_NEAR(ema.state().at("w")[1].item<double>(), expected, 1e-4);
}

TEST(Ema, LeavesATakenAverageToWhoTookIt) {
  Scalar module;
  Ema ema(module, constant(0.9), 1);
  const at::NoGradGuard no_grad;
  module.w.fill_(1);
  const auto average = ema.take(module.w);
  ASSERT_TRUE(average.defined());
  average.fill_(7);
  ema.update(1'000'000);
  EXPECT_EQ(ema.state().at("w")[0].item<float>(), 7.0F);
  ema.update(1'000'001);  // taken once, not for ever
  EXPECT_NEAR(ema.state().at("w")[0].item<double>(), 0.9 * 7 + 0.1, 1e-6);
  EXPECT_FALSE(ema.take(torch::zeros({2})).defined());
}

TEST(Ema, CopiesBuffersAsTheyAre) {
  Scalar module;
  Ema ema(module, constant(0.9), 1);
  module.count.fill_(7);
  ema.update(0);
  EXPECT_EQ(ema.state().at("count").item<int64_t>(), 7);
}

TEST(EmaScope, ExchangesAndRestoresWeights) {
  Scalar module;
  Ema ema(module, constant(0.5), 1);
  {
    torch::NoGradGuard no_grad;
    module.w.fill_(4);
    module.count.fill_(3);
  }
  {
    const EmaScope scope(ema);
    EXPECT_EQ(module.w[0].item<double>(), 0);
    EXPECT_EQ(module.count.item<int64_t>(), 0);
  }
  EXPECT_EQ(module.w[0].item<double>(), 4);
  EXPECT_EQ(ema.state().at("w")[0].item<double>(), 0);
  EXPECT_TRUE(module.w.requires_grad());
}

TEST(Ema, RefusesAStateOfAnotherModel) {
  Scalar module;
  Ema ema(module, constant(0.5), 1);
  EXPECT_THROW(ema.load_state({{"w", torch::zeros({3})}, {"count", torch::zeros({}, at::kLong)}}), DataError);
  EXPECT_THROW(ema.load_state({{"w", torch::zeros({2})}}), DataError);
}

}  // namespace
}  // namespace gen
