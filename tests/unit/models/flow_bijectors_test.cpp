#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "gen/core/error.h"
#include "models/flow/actnorm.h"
#include "models/flow/affine_coupling.h"
#include "models/flow/batch_norm.h"
#include "models/flow/logit.h"
#include "models/flow/mask.h"
#include "models/flow/prior.h"
#include "models/flow/squeeze.h"
#include "support/support.h"

namespace gen::flow {
namespace {

// Per channel, over batch and positions.
void expect_standardised(const at::Tensor& z) {
  const auto rows = z.transpose(0, 1).flatten(1);
  EXPECT_LE(rows.mean(1).abs().max().item<double>(), 1e-4);
  EXPECT_LE((rows.std(1, false) - 1).abs().max().item<double>(), 1e-4);
}

TEST(ActNorm, FirstBatchLeavesWithMeanZeroAndDeviationOne) {
  torch::manual_seed(0);
  ActNorm points({.shape = {3}});
  const auto x = torch::randn({64, 3}) * 5 + 2;
  points.initialize(x, {});
  expect_standardised(points.forward(x, {}).y);
  ActNorm images({.shape = {2, 4, 4}});
  const auto y = torch::randn({16, 2, 4, 4}) * 0.1 - 3;
  images.initialize(y, {});
  expect_standardised(images.forward(y, {}).y);
}

TEST(ActNorm, IsInitialisedOnlyOnceEvenAfterLoading) {
  torch::manual_seed(0);
  ActNorm norm({.shape = {3}});
  norm.initialize(torch::randn({64, 3}), {});
  torch::serialize::OutputArchive out;
  norm.save(out);
  std::stringstream file;
  out.save_to(file);
  torch::serialize::InputArchive in;
  in.load_from(file);
  ActNorm loaded({.shape = {3}});
  loaded.load(in);
  const auto x = torch::randn({8, 3}) * 100;
  const auto before = loaded.forward(x, {}).y.detach().clone();
  loaded.initialize(x, {});
  EXPECT_TRUE(torch::equal(before, loaded.forward(x, {}).y));
}

TEST(ChannelMoments, OfOneChannelAreTheSameBitsOnAnyNumberOfThreads) {
  const auto x = torch::randn({64, 1, 28, 28});
  const auto [mean, var] = channel_moments(x);
  EXPECT_LT(test::max_abs_diff(mean[0], x.mean()), 1e-6);
  EXPECT_LT(test::max_abs_diff(var[0], x.var(/*unbiased=*/false)), 1e-5);
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const auto again = channel_moments(x);
    EXPECT_TRUE(at::equal(again.first, mean) && at::equal(again.second, var)) << threads << " threads";
  }
  at::set_num_threads(before);
}

TEST(BatchNormBijector, TrainingStandardisesTheBatchAndMovesTheRunningStatistics) {
  torch::manual_seed(0);
  BatchNormBijector norm({.momentum = 1.0, .epsilon = 1e-8}, {.shape = {3}});
  const auto x = torch::randn({64, 3}) * 5 + 2;
  norm.train();
  const auto z = norm.forward(x, {}).y;
  expect_standardised(z);
  // With momentum 1 the running statistics are the batch's, so evaluation agrees and the inverse undoes both.
  norm.eval();
  EXPECT_LE(test::max_abs_diff(norm.forward(x, {}).y, z), 1e-5);
  norm.train();
  EXPECT_LE(test::max_abs_diff(norm.inverse(z, {}).y, x), 1e-4);
}

TEST(BatchNormBijector, ABatchThatOverflowedLeavesTheRunningStatisticsNumbers) {
  BatchNormBijector norm({.momentum = 0.5, .epsilon = 1e-8}, {.shape = {2}});
  norm.train();
  norm.forward(torch::randn({8, 2}), {});
  const auto before = norm.named_buffers()["running_var"].clone();
  norm.forward(torch::full({8, 2}, 3e38), {});
  norm.forward(torch::full({8, 2}, NAN), {});
  EXPECT_TRUE(torch::equal(norm.named_buffers()["running_var"], before));
  EXPECT_TRUE(norm.named_buffers()["running_mean"].isfinite().all().item<bool>());
}

TEST(Squeeze, OrdersChannelsDiagonalFirst) {
  const auto x = torch::arange(4, at::kFloat).view({1, 1, 2, 2});  // 0 1 / 2 3
  const auto z = squeeze_2x2(x).flatten();
  EXPECT_TRUE(torch::equal(z, torch::tensor({0.f, 3.f, 1.f, 2.f})));
  const auto image = torch::rand({2, 3, 4, 6});
  EXPECT_TRUE(torch::equal(unsqueeze_2x2(squeeze_2x2(image)), image));
}

TEST(Squeeze, RefusesOddSizesAndPointsByName) {
  EXPECT_THROW(Squeeze({.shape = {1, 7, 8}}), ConfigError);
  EXPECT_THROW(Squeeze({.shape = {4}}), ConfigError);
}

TEST(Mask, CheckerboardKeepsOneColour) {
  const Mask mask(MaskKind::checkerboard, /*swap=*/false, {1, 4, 4});
  const auto x = torch::zeros({1, 1, 4, 4});
  const auto halves = mask.split(x);
  const auto board = mask.merge(torch::zeros_like(halves.kept), torch::ones_like(halves.changed))[0][0];
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t j = 0; j < 4; ++j)
      EXPECT_EQ(board[i][j].item<float>(), float((i + j) % 2)) << i << ", " << j;
}

TEST(Mask, RefusesWhatItCannotSplit) {
  EXPECT_THROW(Mask(MaskKind::halves, false, {1, 4, 4}), ConfigError);
  EXPECT_THROW(Mask(MaskKind::odd_even, false, {4, 4, 4}), ConfigError);
  EXPECT_THROW(Mask(MaskKind::checkerboard, false, {4}), ConfigError);
  EXPECT_THROW(Mask(MaskKind::odd_even, false, {1}), ConfigError);
}

TEST(AffineCoupling, StartsAsTheIdentity) {
  AffineCoupling coupling({.mask = MaskKind::odd_even}, {.shape = {4}});
  const auto x = torch::randn({5, 4});
  const auto z = coupling.forward(x, {});
  EXPECT_TRUE(torch::equal(z.y, x));
  EXPECT_TRUE(torch::equal(z.log_det, torch::zeros({5})));
}

TEST(Logit, LogDetHasItsClosedFormAtTheMiddle) {
  Logit logit({.alpha = 0.05});
  const auto mapped = logit.forward(torch::full({1, 3}, 0.5, at::kDouble), {});
  // At y = 1/2 the slope of logit is 4, times 1 - 2 alpha.
  EXPECT_NEAR(mapped.log_det.item<double>(), 3 * (std::log(4.0) + std::log(0.9)), 1e-12);
  EXPECT_NEAR(mapped.y.abs().max().item<double>(), 0, 1e-12);
}

// The sigmoid of these is 0 or 1 in float32, and rounding may lead beyond.
TEST(Logit, TakesBackWhatItsInverseGaveWhereverTheSigmoidSaturates) {
  constexpr float kMost = std::numeric_limits<float>::max();
  for (const double alpha : {1e-9, 1e-6, 0.01, 0.05, 0.49}) {
    Logit logit({.alpha = alpha});
    const auto z =
        torch::tensor({{-kMost, -1e6F, -104.0F, -88.0F, -17.0F, 16.0F, 17.0F, 88.0F, 104.0F, kMost}}).t();
    const auto again = logit.forward(logit.inverse(z.contiguous(), {}).y, {});
    EXPECT_TRUE(again.y.isfinite().all().item<bool>()) << alpha << " " << again.y.t();
    EXPECT_TRUE(again.log_det.isfinite().all().item<bool>()) << alpha;
  }
  EXPECT_TRUE(Logit({.alpha = 0.05}).forward(torch::tensor({{1.2F}}), {}).y.isnan().all().item<bool>());
}

TEST(Logit, IsFiniteOnTheClosedInterval) {
  Logit logit({.alpha = 0.05});
  const auto mapped = logit.forward(torch::tensor({{0.f, 1.f}}), {});
  EXPECT_TRUE(torch::isfinite(mapped.y).all().item<bool>());
  EXPECT_LE(test::max_abs_diff(logit.inverse(mapped.y, {}).y, torch::tensor({{0.f, 1.f}})), 1e-6);
}

TEST(Prior, DensitiesMatchTheirClosedForms) {
  const auto z = torch::tensor({{0.0, 1.0}}, at::kDouble);
  EXPECT_NEAR(log_prob(PriorKind::gaussian, z).item<double>(), -std::log(2 * std::numbers::pi) - 0.5, 1e-12);
  const double at_one = -std::log1p(std::exp(1.0)) - std::log1p(std::exp(-1.0));
  EXPECT_NEAR(log_prob(PriorKind::logistic, z).item<double>(), -2 * std::log(2.0) + at_one, 1e-12);
}

TEST(Prior, DrawsHaveTheirVariancesTimesTheTemperatureSquared) {
  for (const auto& [kind, variance] :
       {std::pair{PriorKind::gaussian, 1.0},
        std::pair{PriorKind::logistic, std::numbers::pi * std::numbers::pi / 3}}) {
    SampleRng rng(1, 0, 4);
    const auto z = draw(kind, {5000}, rng, 0.5);
    EXPECT_NEAR(z.mean().item<double>(), 0, 0.03);
    EXPECT_NEAR(z.var().item<double>() / (0.25 * variance), 1, 0.06);
  }
}

}  // namespace
}  // namespace gen::flow
