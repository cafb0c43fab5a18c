#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "gen/core/error.h"
#include "gen/nn/network.h"
#include "support/support.h"
#include "unit/models/vae_case.h"

namespace gen::vae {
namespace {

/// A linear decoder W with p(x) = N(bias, W W^T + s^2): everything is known in closed form. The columns of W
/// are orthogonal, so that the true posterior is diagonal and the encoder can hold it.
class LinearGaussianVae : public testing::Test {
 protected:
  static constexpr double kVariance = 0.25;  // of the config's stddev
  const at::Tensor weight = at::tensor({1.0, 2.0, 2.0, -1.0, 0.5, 0.0, 0.0, 0.7}, at::kDouble).view({4, 2});
  const at::Tensor bias = at::tensor({0.3, -0.2, 1.0, 0.0}, at::kDouble);
  const Batch batch = batch_of(2 * Rng(1).normal({6, 4}, at::kDouble));
  const std::unique_ptr<Model> model = model_from(
      R"({"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": []},
          "likelihood": {"type": "gaussian", "variance": "fixed", "stddev": 0.5}})",
      point_spec(4));

  void SetUp() override {
    model->module().to(at::kDouble);
    const auto precision = 1 + weight.square().sum(0) / kVariance;         // [2] of the posterior
    const auto to_mean = weight.t() / kVariance / precision.unsqueeze(1);  // [2, 4]
    load_state(model->module(),
               {{"decoder.layers.0.weight", weight},
                {"decoder.layers.0.bias", bias},
                {"encoder.layers.0.weight", at::cat({to_mean, at::zeros_like(to_mean)})},
                {"encoder.layers.0.bias", at::cat({-to_mean.mv(bias), -precision.log()})}},
               "the exact posterior");
  }
  at::Tensor exact_log_prob() const {
    const auto covariance = weight.mm(weight.t()) + kVariance * at::eye(4, at::kDouble);
    const auto centred = batch.x - bias;
    const auto mahalanobis = (centred.mm(covariance.inverse()) * centred).sum(1);
    return -0.5 * (mahalanobis + covariance.logdet() + 4 * std::log(2 * std::numbers::pi));
  }
  at::Tensor bound(int64_t samples, uint64_t seed) const {
    Rng rng(seed);
    return model->likelihood()->log_likelihood(batch, {.importance_samples = samples}, rng).log_prob;
  }
  void disturb_encoder() {
    torch::NoGradGuard no_grad;
    model->module().named_parameters()["encoder.layers.0.bias"].add_(
        at::tensor({0.2, -0.1, 0.4, 0.3}, at::kDouble));
  }
};

TEST_F(LinearGaussianVae, BoundIsTightAtTheTruePosterior) {
  EXPECT_LT(test::max_abs_diff(bound(1, 3), exact_log_prob()), 1e-9);
  EXPECT_LT(test::max_abs_diff(bound(5, 3), exact_log_prob()), 1e-9);
}

TEST_F(LinearGaussianVae, BoundGrowsTowardsTheExactMarginal) {
  disturb_encoder();
  const double exact = exact_log_prob().mean().item<double>();
  double last = -std::numeric_limits<double>::infinity();
  for (int64_t samples : {1, 10, 100, 50'000}) {
    const uint64_t repeats = samples <= 100 ? 400 : 2;
    double mean = 0;
    for (uint64_t i = 0; i < repeats; ++i)
      mean += bound(samples, i).mean().item<double>() / static_cast<double>(repeats);
    EXPECT_GT(mean, last) << samples;
    EXPECT_LT(mean, exact + 0.005) << samples;
    last = mean;
  }
  EXPECT_NEAR(last, exact, 0.005);
}

TEST_F(LinearGaussianVae, LossAndElboHaveTheMeanOfTheBound) {
  disturb_encoder();
  double loss = 0, elbo = 0, one_sample = 0;
  constexpr uint64_t kDraws = 2000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    Rng first(i), second(i);
    loss += model->loss(batch, {0, 1, true, first}).total.item<double>() / kDraws;
    elbo += model->variational()->elbo_terms(batch, second).at(0).second.mean().item<double>() / kDraws;
    one_sample += bound(1, i).mean().item<double>() / kDraws;
  }
  EXPECT_NEAR(elbo, -loss, 1e-9);       // the same draws
  EXPECT_NEAR(elbo, one_sample, 0.02);  // an analytic KL against a sampled one
}

TEST_F(LinearGaussianVae, ReconstructionGoesThroughThePosteriorMean) {
  const auto codes = model->forward_named({{"x", batch.x}});
  const auto x = codes.at("mean").mm(weight.t()) + bias;
  EXPECT_LT(test::max_abs_diff(model->autoencoder()->reconstruct(batch.x), x), 1e-9);
  EXPECT_LT(test::max_abs_diff(codes.at("reconstruction"), x), 1e-9);
  EXPECT_LT(test::max_abs_diff(model->forward_named({{"z", codes.at("mean")}}).at("x"), x), 1e-9);
  EXPECT_THROW(model->forward_named({{"y", batch.x}}), DataError);
}

TEST_F(LinearGaussianVae, InterpolatesOnALine) {
  const auto line = model->autoencoder()->interpolate(batch.x, batch.x.flip(0), 5);  // [6, 5, 4]
  const auto middle = 0.5 * (line.select(1, 0) + line.select(1, 4));
  EXPECT_LT(test::max_abs_diff(line.select(1, 2), middle), 1e-9);
}

TEST(Vae, ImportanceWeightedLossIsTheBoundItself) {
  const auto model = model_from(
      R"({"type": "vae", "latent_dim": 3, "encoder": {"type": "mlp", "hidden_sizes": [8]},
          "likelihood": {"type": "bernoulli", "binarization": "threshold"}, "importance_samples": 7})",
      image_spec(1, 4, 4));
  const auto batch = batch_of(Rng(2).uniform({5, 1, 4, 4}));
  Rng training(9), evaluation(9);
  const auto loss = model->loss(batch, {0, 1, true, training}).total;
  const auto bound =
      model->likelihood()->log_likelihood(batch, {.importance_samples = 7}, evaluation).log_prob;
  EXPECT_NEAR(loss.item<double>(), -bound.mean().item<double>(), 1e-4);
}

TEST(Vae, BoundDoesNotDependOnHowItIsCutUp) {
  const auto model =
      model_from(R"({"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [4]},
      "likelihood": {"type": "bernoulli", "binarization": "threshold"}})",
                 image_spec(1, 64, 64));
  // 2 images of 4096 pixels: 512 samples fill one chunk, 600 need two, and draw the same first 512.
  const auto batch = batch_of(Rng(2).uniform({2, 1, 64, 64}));
  Rng one(5), two(5);
  const auto first = model->likelihood()->log_likelihood(batch, {.importance_samples = 512}, one).log_prob;
  const auto more = model->likelihood()->log_likelihood(batch, {.importance_samples = 600}, two).log_prob;
  EXPECT_LT(test::max_abs_diff(first, more), 1);
  EXPECT_GT(test::max_abs_diff(first, more), 0);
}

TEST(Vae, BetaWarmsUpInTrainingOnly) {
  const auto model = model_from(
      R"({"type": "vae", "beta": 4, "beta_warmup_steps": 8, "latent_dim": 3,
          "encoder": {"type": "mlp", "hidden_sizes": [8]},
          "likelihood": {"type": "bernoulli", "binarization": "none"}})",
      image_spec(1, 4, 4));
  const auto batch = batch_of(Rng(2).uniform({5, 1, 4, 4}));
  const auto beta_at = [&](int64_t step, bool training) {
    Rng rng(1);
    const auto loss = model->loss(batch, {step, 100, training, rng});
    const double reconstruction = loss.terms.at(1).second.item<double>(),
                 kl = loss.terms.at(2).second.item<double>();
    return (loss.total.item<double>() + reconstruction) / kl;
  };
  EXPECT_NEAR(beta_at(0, true), 0.5, 1e-3);
  EXPECT_NEAR(beta_at(3, true), 2, 1e-3);
  EXPECT_NEAR(beta_at(50, true), 4, 1e-3);
  EXPECT_NEAR(beta_at(0, false), 4, 1e-3);
}

TEST(Vae, LogVarianceIsClamped) {
  const auto model = model_from(
      R"({"type": "vae", "latent_dim": 2, "log_variance_min": -1, "log_variance_max": 0.5,
          "encoder": {"type": "mlp", "hidden_sizes": []}})",
      image_spec(1, 2, 2));
  {
    torch::NoGradGuard no_grad;
    model->module().named_parameters()["encoder.layers.0.bias"].copy_(at::tensor({0.0F, 0.0F, 1e4F, -1e4F}));
  }
  const auto log_variance = model->forward_named({{"x", at::ones({1, 1, 2, 2})}}).at("log_variance");
  EXPECT_TRUE(at::equal(log_variance[0], at::tensor({0.5F, -1.0F})));
}

TEST(Vae, ConvolutionsGiveOddSizesBack) {
  const auto model = model_from(R"({"type": "vae", "encoder": {"type": "conv", "channels": [4, 4, 4]}})",
                                image_spec(3, 25, 30));
  EXPECT_EQ(model->forward_named({{"z", at::zeros({2, 16})}}).at("x").sizes(),
            at::IntArrayRef({2, 3, 25, 30}));
}

TEST(CheckFinite, NamesTheSamplesAndWhatMayHelpAModelOfOnePass) {
  Samples samples;
  samples.x = torch::zeros({3, 2});
  samples.x[1][1] = NAN;
  samples.x[2][0] = INFINITY;
  try {
    check_finite(samples, 10);
    FAIL() << "passed";
  } catch (const NumericalError& error) {
    const std::string says = error.what();
    EXPECT_NE(says.find("2 of 3 samples are not finite, drawn in one pass: 11, 12"), std::string::npos)
        << says;
    EXPECT_NE(says.find("sample.temperature"), std::string::npos) << says;
    EXPECT_EQ(says.find("bf16"), std::string::npos) << "it computes in float32 alone: " << says;
  }
}

TEST_F(LinearGaussianVae, ActiveUnitsOfABrokenEncoderAreNoNumber) {
  Batch broken = batch;
  broken.x = torch::full_like(batch.x, NAN);
  Rng rng(1);
  for (const auto& [name, value] : model->loss(broken, {0, 1, true, rng}).terms)
    EXPECT_TRUE(std::isnan(value.item<double>())) << name;
}

TEST(Vae, TemperatureScalesThePrior) {
  const auto model = model_from(R"({"type": "vae", "latent_dim": 2})", image_spec(1, 4, 4));
  SampleRequest request;
  request.temperature = 0;
  const auto x = model->sample(request).x;
  EXPECT_LT(test::max_abs_diff(x, model->forward_named({{"z", at::zeros({1, 2})}}).at("x")), 1e-6);
  EXPECT_GE(x.min().item<double>(), 0);
  EXPECT_LE(x.max().item<double>(), 1);
}

TEST(Vae, RefusesWhatItCannotHonour) {
  const auto images = image_spec(1, 4, 4);
  EXPECT_THROW(model_from(R"({"type": "vae", "importance_samples": 5, "beta": 2})", images), ConfigError);
  EXPECT_THROW(model_from(R"({"type": "vae", "log_variance_min": 5, "log_variance_max": 2})", images),
               ConfigError);
  EXPECT_THROW(model_from(R"({"type": "vae", "encoder": {"type": "conv", "channels": [1, 1, 1]}})", images),
               ConfigError);
  EXPECT_THROW(
      model_from(R"({"type": "vae", "encoder": {"type": "conv"}, "likelihood": {"type": "gaussian"}})",
                 point_spec(2)),
      ConfigError);
  const auto model = model_from(R"({"type": "vae"})", images);
  SampleRequest request;
  request.labels = std::vector<int64_t>{0};
  EXPECT_THROW(model->sample(request), ConfigError);
}

TEST(ParameterCounts, AreThoseOfTheDirectChildren) {
  const auto model = model_from(
      R"({"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]},
          "likelihood": {"type": "gaussian"}})",
      image_spec(1, 4, 4));
  const std::vector<std::pair<std::string, int64_t>> expected{
      {"encoder", 16 * 8 + 8 + 8 * 4 + 4}, {"likelihood", 1}, {"decoder", 2 * 8 + 8 + 8 * 16 + 16}};
  EXPECT_EQ(parameter_counts(model->module()), expected);
}

}  // namespace
}  // namespace gen::vae
