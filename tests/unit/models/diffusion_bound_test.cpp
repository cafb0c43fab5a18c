#include "models/diffusion/bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "models/diffusion/model.h"
#include "support/components.h"
#include "support/support.h"

namespace gen {
namespace {

TEST(DecoderLogProb, OfAllLevelsSumsToOne) {
  for (const int64_t levels : {2, 17, 256})
    for (const double mean : {-1.3, -1.0, 0.123, 1.0}) {
      const auto values = torch::linspace(-1, 1, levels, at::kDouble).unsqueeze(1);  // [levels, 1]
      const auto log_prob = decoder_log_prob(values, torch::full_like(values, mean), 0.01, levels);
      EXPECT_NEAR(log_prob.exp().sum().item<double>(), 1, 1e-9) << levels << " levels around " << mean;
    }
}

TEST(DecoderLogProb, IsThatOfTheBinAndSumsOverDimensions) {
  const auto x = torch::zeros({1, 1, 1, 2}, at::kDouble);
  const double half_bin = 1.0 / 4, deviation = 0.3;  // 5 levels
  const double bin = std::erf(half_bin / deviation / std::numbers::sqrt2);
  EXPECT_NEAR(decoder_log_prob(x, x, deviation, 5).item<double>(), 2 * std::log(bin), 1e-12);
  EXPECT_NEAR(decoder_log_prob(x, x, deviation, 0).item<double>(),
              -2 * std::log(deviation * std::sqrt(2 * std::numbers::pi)), 1e-12);
}

// erfc of a positive number keeps its digits where that of a negative one is all but 2.
TEST(DecoderLogProb, IsExactOnBothSidesOfTheMeanInFloat32) {
  constexpr double kDeviation = 0.01, kHalfBin = 1.0 / 255;
  for (const double deviations : {0.0, 2.0, 5.0, 6.0, 6.5}) {
    const double off = deviations * kDeviation, width = kDeviation * std::numbers::sqrt2;
    const double mass = (std::erfc((off - kHalfBin) / width) - std::erfc((off + kHalfBin) / width)) / 2;
    for (const double sign : {-1.0, 1.0}) {
      const auto x = torch::zeros({1, 1}), mean = torch::full({1, 1}, sign * off);
      EXPECT_NEAR(decoder_log_prob(x, mean, kDeviation, 256).item<double>(), std::log(mass), 2e-5)
          << sign * deviations << " deviations";
    }
  }
}

TEST(DecoderLogProb, GivesNoBinLessThanTheFloorOfItsProtocol) {
  const auto x = torch::tensor({{-1.0F, 0.0F, 1.0F}}).t().contiguous();
  for (const double mean : {-30.0, 30.0}) {
    const auto log_prob = decoder_log_prob(x, torch::full({3, 1}, mean), 0.01, 256);
    EXPECT_GE(log_prob.min().item<double>(), std::log(1e-12) - 1e-9);
    EXPECT_NEAR(log_prob[1].item<double>(), std::log(1e-12), 1e-9);
    EXPECT_NEAR(log_prob.max().item<double>(), 0, 1e-9);  // the outer bin has no end
  }
  EXPECT_NEAR(decoder_log_prob(x, x, /*deviation=*/0, 256).sum().item<double>(), 0, 1e-9);
}

// Between normals of the posterior's mean and variance (Ho et al. 2020, eq. 7).
TEST(KlWeights, AreThoseOfTheFormulaInBetas) {
  const auto schedule = test::make_schedule({{"type", "linear"}, {"num_train_timesteps", 50}});
  const auto& cumulative = schedule->alphas_cumprod();
  const auto weights = kl_weights(*schedule);
  EXPECT_EQ(weights[0].item<double>(), 0);
  for (size_t t = 1; t < cumulative.size(); ++t) {
    const double beta = 1 - cumulative[t] / cumulative[t - 1];
    const double variance = (1 - cumulative[t - 1]) / (1 - cumulative[t]) * beta;
    const double of_x0 = std::sqrt(cumulative[t - 1]) * beta / (1 - cumulative[t]);
    EXPECT_NEAR(weights[static_cast<int64_t>(t)].item<double>() / (of_x0 * of_x0 / (2 * variance)), 1, 1e-8)
        << t;
  }
}

TEST(TimeProbabilities, LeaveOutOnlyTheTimeWithoutATerm) {
  for (const char* type : {"linear", "cosine"}) {
    const auto p = time_probabilities(*test::make_schedule({{"type", type}}));
    EXPECT_NEAR(p.sum().item<double>(), 1, 1e-12);
    EXPECT_EQ(p[0].item<double>(), 0);
    EXPECT_GT(p.slice(0, 1).min().item<double>(), 0);
  }
}

// The denoiser of data from N(0, deviation^2).
class NormalDenoiser final : public DenoisingNetwork {
 public:
  NormalDenoiser(const NoiseSchedule& schedule, double deviation)
      : schedule_(schedule), deviation_(deviation) {}
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep, const at::Tensor&) override {
    auto gain = torch::empty({sample.size(0), 1}, at::kDouble);
    for (int64_t i = 0; i < sample.size(0); ++i) {
      const auto t = timestep[i].item<double>();
      const double alpha = schedule_.alpha(t), sigma = schedule_.sigma(t), variance = deviation_ * deviation_;
      gain[i] = alpha * variance / (alpha * alpha * variance + sigma * sigma);
    }
    return (gain * sample).to(sample.scalar_type());
  }
  std::vector<int64_t> input_shape() const override { return {-1}; }
  Json ecosystem_config() const override { return {}; }

 private:
  const NoiseSchedule& schedule_;
  double deviation_;
};

// Data from N(0, deviation^2) leave the perfect denoiser an error of known variance at each time, so the bound's mean
// has a closed form.
TEST(VariationalBound, IsTheClosedFormForNormalDataAndLiesBelowTheTruth) {
  const double deviation = 0.5, variance = deviation * deviation;
  const auto schedule = test::make_schedule({{"type", "linear"}});
  DataSpec points;
  points.kind = DataKind::points;
  points.shape = {2};
  points.levels = 0;
  DiffusionModel model(points, std::make_shared<NormalDenoiser>(*schedule, deviation),
                       test::make_schedule({{"type", "linear"}}), PredictionType::sample,
                       /*conditional=*/false);
  Rng rng(4);
  Batch batch;
  batch.x = deviation * rng.normal({4000, 2});
  const auto result = model.log_likelihood(batch, {.importance_samples = 8}, rng);
  EXPECT_FALSE(result.exact);
  EXPECT_FALSE(result.bits_offset.has_value());

  const auto error = [&](int64_t t) {
    const double signal = std::pow(schedule->alpha(static_cast<double>(t)), 2);
    const double noise = std::pow(schedule->sigma(static_cast<double>(t)), 2);
    return variance * noise / (signal * variance + noise);
  };
  const auto weights = kl_weights(*schedule);
  const double decoder = decoder_deviation(*schedule);
  double expected = -error(0) / (2 * decoder * decoder) - std::log(decoder * std::sqrt(2 * std::numbers::pi));
  for (int64_t t = 1; t < schedule->num_timesteps(); ++t) expected -= weights[t].item<double>() * error(t);
  const double truth = -2 * (std::log(deviation * std::sqrt(2 * std::numbers::pi)) + 0.5);
  // The term of the prior is below 1e-4 here.
  EXPECT_NEAR(result.log_prob.mean().item<double>(), 2 * expected,
              4 * result.log_prob.std().item<double>() / std::sqrt(4000.0));
  EXPECT_LT(2 * expected, truth);
}

// A denoiser that is off by the same amount at every time: its KL lies where the weights do.
class WrongDenoiser final : public DenoisingNetwork {
 public:
  at::Tensor forward(const at::Tensor& sample, const at::Tensor&, const at::Tensor&) override {
    return at::full_like(sample, 0.1);
  }
  std::vector<int64_t> input_shape() const override { return {-1}; }
  Json ecosystem_config() const override { return {}; }
};

TEST(VariationalBound, SaysHowMuchOfItLiesAtTheLeastNoisyTimes) {
  const auto schedule = test::make_schedule({{"type", "cosine"}});
  DataSpec points;
  points.kind = DataKind::points;
  points.shape = {2};
  points.levels = 0;
  DiffusionModel model(points, std::make_shared<WrongDenoiser>(), test::make_schedule({{"type", "cosine"}}),
                       PredictionType::sample, /*conditional=*/false);
  Batch batch;
  batch.x = torch::zeros({20000, 2});
  Rng rng(4);
  std::map<std::string, double> mean;
  for (const auto& [name, value] : model.elbo_terms(batch, rng)) mean[name] = value.mean().item<double>();
  const auto weights = kl_weights(*schedule);  // of times 0 .. 999; the least noisy hundredth are 1 .. 9
  const double squared_error = 2 * 0.1 * 0.1;
  EXPECT_NEAR(mean["kl"] / (weights.sum().item<double>() * squared_error), 1, 0.02);
  EXPECT_NEAR(mean["kl_low_noise"] / (weights.slice(0, 1, 10).sum().item<double>() * squared_error), 1, 0.02);
  const auto protocol = model.log_likelihood(batch, {}, rng).protocol;
  EXPECT_NE(protocol.find("a network that predicts the data pays up to"), std::string::npos) << protocol;
}

TEST(VariationalBound, CountsBitsOfDiscreteLevelsOnly) {
  DataSpec images;
  images.shape = {1, 8, 8};
  const auto of = [](const DataSpec& data) {
    return models().make(test::component_of(models(), {{"type", "diffusion"},
                                                       {"network",
                                                        {{"type", "unet2d"},
                                                         {"block_out_channels", {8}},
                                                         {"down_block_types", {"DownBlock2D"}},
                                                         {"up_block_types", {"UpBlock2D"}},
                                                         {"layers_per_block", 1},
                                                         {"norm_num_groups", 4}}}}),
                         data);
  };
  EXPECT_TRUE(of(images)->likelihood()->has_bits_per_dim());
  images.levels = 0;
  EXPECT_FALSE(of(images)->likelihood()->has_bits_per_dim());
}

}  // namespace
}  // namespace gen
