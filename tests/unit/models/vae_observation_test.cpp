#include "models/vae/observation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "gen/core/error.h"
#include "support/support.h"
#include "unit/models/vae_case.h"

namespace gen::vae {
namespace {

const DataSpec kPixel = image_spec(1, 1, 1);

TEST(VaeBernoulli, SumsToOneOverEveryBinaryImage) {
  const auto model = observation_from(R"({"type": "bernoulli"})", image_spec(1, 1, 3));
  const auto logits = at::tensor({-2.0F, 0.3F, 4.0F}).view({1, 1, 1, 3}).expand({8, 1, 1, 3});
  const auto bits = at::arange(8).unsqueeze(1).bitwise_right_shift(at::arange(3)).bitwise_and(1);
  const auto log_prob = model->log_prob(logits, bits.to(at::kFloat).view({8, 1, 1, 3}));
  EXPECT_NEAR(log_prob.exp().sum().item<double>(), 1, 1e-6);
}

TEST(VaeBernoulli, IsFiniteForEveryLogit) {
  const auto model = observation_from(R"({"type": "bernoulli"})", kPixel);
  const auto log_prob = model->log_prob(at::tensor({-1e4F, 1e4F}).view({2, 1, 1, 1}), at::ones({2, 1, 1, 1}));
  EXPECT_NEAR(log_prob[0].item<double>(), -1e4, 1);
  EXPECT_NEAR(log_prob[1].item<double>(), 0, 1e-6);
}

TEST(VaeBinarization, DynamicDrawsAnewWithTheGreyValueAsProbability) {
  const auto model =
      observation_from(R"({"type": "bernoulli", "binarization": "dynamic"})", image_spec(1, 8, 8));
  const auto batch = batch_of(at::full({500, 1, 8, 8}, 0.3));
  Rng rng(1);
  const auto first = model->target(batch, rng), second = model->target(batch, rng);
  EXPECT_TRUE(first.eq(0).logical_or(first.eq(1)).all().item<bool>());
  EXPECT_NEAR(first.mean().item<double>(), 0.3, 0.01);
  EXPECT_FALSE(at::equal(first, second));
}

TEST(VaeBinarization, StaticIsAFunctionOfTheExample) {
  const auto model =
      observation_from(R"({"type": "bernoulli", "binarization": "static"})", image_spec(1, 8, 8));
  const auto batch = batch_of(at::full({500, 1, 8, 8}, 0.3));
  Rng rng(1);
  const auto all = model->target(batch, rng);
  EXPECT_NEAR(all.mean().item<double>(), 0.3, 0.01);
  EXPECT_FALSE(at::equal(all[0], all[1]));
  auto part = batch_of(batch.x.slice(0, 0, 2));
  part.indices = {7, 3};
  const auto some = model->target(part, rng);
  EXPECT_TRUE(at::equal(some[0], all[7]));
  EXPECT_TRUE(at::equal(some[1], all[3]));
  part.split = Split::test;
  EXPECT_FALSE(at::equal(model->target(part, rng)[0], all[7]));
}

TEST(VaeBinarization, ThresholdAndNoneAreWithoutChance) {
  const auto x = at::tensor({0.2F, 0.5F, 0.9F}).view({3, 1, 1, 1});
  Rng rng(1);
  const auto threshold = observation_from(R"({"type": "bernoulli", "binarization": "threshold"})", kPixel);
  EXPECT_TRUE(at::equal(threshold->target(batch_of(x), rng).flatten(), at::tensor({0.0F, 1.0F, 1.0F})));
  const auto none = observation_from(R"({"type": "bernoulli", "binarization": "none"})", kPixel);
  EXPECT_TRUE(at::equal(none->target(batch_of(x), rng), x));
}

TEST(VaeGaussian, IntegratesToOne) {
  for (const std::string variance : {"fixed", "learned"}) {
    const auto model = observation_from(
        R"({"type": "gaussian", "stddev": 0.7, "variance": ")" + variance + "\"}", point_spec(1));
    const auto x = at::linspace(-10, 10, 20'001, at::kDouble).unsqueeze(1);
    const auto log_prob = model->log_prob(at::full({20'001, 1}, 0.4, at::kDouble), x);
    EXPECT_NEAR(log_prob.exp().sum().item<double>() * 1e-3, 1, 1e-6) << variance;
  }
}

TEST(VaeGaussian, PerDimensionVarianceComesFromTheDecoder) {
  const auto model =
      observation_from(R"({"type": "gaussian", "stddev": 2, "variance": "per_dimension"})", point_spec(2));
  ASSERT_EQ(model->num_parameters(), 2);
  const auto output =
      at::tensor({0.5, -1.0, std::log(1.5), 0.0}, at::kDouble).unsqueeze(0);  // means, log-factors
  const auto log_prob = model->log_prob(output, at::tensor({3.5, 1.0}, at::kDouble).unsqueeze(0));
  // Standard deviations 3 and 2, one standard deviation off in both.
  EXPECT_NEAR(log_prob.item<double>(), -1 - std::log(3.0) - std::log(2.0) - std::log(2 * std::numbers::pi),
              1e-12);
}

TEST(VaeGaussian, DequantisesWithinALevel) {
  const auto model = observation_from(R"({"type": "gaussian"})", image_spec(1, 1, 256));
  const auto x = (at::arange(256, at::kDouble) / 255).view({1, 1, 1, 256}).expand({50, 1, 1, 256});
  Rng rng(1);
  const auto y = model->target(batch_of(x), rng);
  EXPECT_TRUE(at::equal((y * 256).floor(), (x * 255).round()));
  EXPECT_LT(test::max_abs_diff(model->expected_target(x) * 256, x * 255 + 0.5), 1e-9);
  EXPECT_EQ(model->bits_offset(), 8);
  const auto plain = observation_from(R"({"type": "gaussian", "dequantize": false})", image_spec(1, 1, 256));
  EXPECT_TRUE(at::equal(plain->target(batch_of(x), rng), x));
  EXPECT_EQ(plain->bits_offset(), std::nullopt);
}

TEST(VaeDiscretizedLogistic, SumsToOneOverTheLevels) {
  const auto model = observation_from(R"({"type": "discretized_logistic", "initial_scale": 1})", kPixel);
  const auto levels = (at::arange(256, at::kDouble) / 255).view({256, 1, 1, 1});
  for (double location : {-3.0, -1.0, 0.1234, 0.999, 40.0})
    for (double log_scale : {-9.0, -3.0, 0.0, 2.0}) {
      const auto output =
          at::tensor({location, log_scale}, at::kDouble).view({1, 2, 1, 1}).expand({256, 2, 1, 1});
      const auto log_prob = model->log_prob(output, levels);
      EXPECT_TRUE(log_prob.isfinite().all().item<bool>());
      EXPECT_NEAR(log_prob.exp().sum().item<double>(), 1, 1e-9) << location << " " << log_scale;
    }
}

TEST(VaeDiscretizedLogistic, IsTheDifferenceOfTwoSigmoids) {
  const auto model = observation_from(R"({"type": "discretized_logistic", "scale": "learned"})", kPixel);
  const auto output = at::full({1, 1, 1, 1}, 0.2, at::kDouble);
  const auto pixel = at::full({1, 1, 1, 1}, 140.0 / 255, at::kDouble);
  const auto cdf = [](double x) { return 1 / (1 + std::exp(-(x - 0.2) / 0.1)); };
  const double centre = 2 * 140.0 / 255 - 1;
  const double expected = std::log(cdf(centre + 1.0 / 255) - cdf(centre - 1.0 / 255));
  EXPECT_NEAR(model->log_prob(output, pixel).item<double>(), expected,
              1e-6);  // the scale is a float32 parameter
}

TEST(VaeDiscretizedLogistic, HasFiniteGradientsFarFromTheData) {
  const auto model = observation_from(R"({"type": "discretized_logistic"})", kPixel);
  const auto output = at::tensor({60.0F, -8.0F, -60.0F, -8.0F}).view({2, 2, 1, 1}).requires_grad_();
  model->log_prob(output, at::full({2, 1, 1, 1}, 128.0F / 255)).sum().backward();
  EXPECT_TRUE(output.grad().isfinite().all().item<bool>());
  EXPECT_LT(output.grad()[0][0].item<double>(), 0);  // pulled back to the data
  EXPECT_GT(output.grad()[1][0].item<double>(), 0);
}

TEST(VaeObservation, ImportanceSamplesBroadcastOverTheTarget) {
  for (const char* config : {R"({"type": "bernoulli"})", R"({"type": "discretized_logistic"})",
                             R"({"type": "gaussian", "variance": "per_dimension"})"}) {
    const auto model = observation_from(config, image_spec(3, 2, 2));
    Rng rng(5);
    const auto output = rng.normal({4, 2, 3 * model->num_parameters(), 2, 2});
    const auto target = (255 * rng.uniform({2, 3, 2, 2})).round() / 255;
    const auto all = model->log_prob(output, target);
    ASSERT_EQ(all.sizes(), at::IntArrayRef({4, 2})) << config;
    EXPECT_TRUE(at::allclose(all[3], model->log_prob(output[3], target))) << config;
  }
}

TEST(VaeObservation, StartsAtTheMeanOfTheData) {
  const auto x = (255 * Rng(6).uniform({64, 3, 4, 4})).round() / 255;
  for (const char* config :
       {R"({"type": "bernoulli"})", R"({"type": "discretized_logistic"})", R"({"type": "gaussian"})",
        R"({"type": "gaussian", "variance": "per_dimension"})"}) {
    const auto model = observation_from(config, image_spec(3, 4, 4));
    const auto mean = model->mean(model->initial_output(x).unsqueeze(0))[0];
    EXPECT_LT(test::max_abs_diff(mean, x.mean(0)), 1e-4) << config;
  }
}

TEST(VaeObservation, RefusesDataItCannotDescribe) {
  EXPECT_THROW(observation_from(R"({"type": "bernoulli"})", point_spec(2)), ConfigError);
  EXPECT_THROW(observation_from(R"({"type": "discretized_logistic"})", point_spec(2)), ConfigError);
  EXPECT_THROW(observation_from(R"({"type": "gaussian", "dequantize": true})", point_spec(2)), ConfigError);
}

}  // namespace
}  // namespace gen::vae
