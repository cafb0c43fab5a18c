#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/metrics/metric.h"
#include "metrics/likelihood.h"
#include "metrics/mean.h"
#include "support/support.h"

namespace gen {
namespace {

DataSpec spec(DataKind kind, std::vector<int64_t> shape, int64_t levels) {
  DataSpec data;
  data.kind = kind;
  data.shape = std::move(shape);
  data.levels = levels;
  return data;
}

const DataSpec kImages = spec(DataKind::images, {1, 12, 12}, 256);
const DataSpec kPoints = spec(DataKind::points, {2}, 0);

Batch batch_of(const at::Tensor& x) {
  Batch batch;
  batch.x = x;
  return batch;
}

/// Knows log p of each example, and returns its inputs at half brightness.
class Oracle final : public Model, public Likelihood, public Variational, public Autoencoder {
 public:
  std::optional<double> offset;
  int64_t asked_samples = 0;

  torch::nn::Module& module() override { return module_; }
  LossTerms loss(const Batch&, const StepContext&) override { return {}; }
  Samples sample(const SampleRequest&) override { return {}; }
  gen::Likelihood* likelihood() override { return this; }
  gen::Variational* variational() override { return this; }
  gen::Autoencoder* autoencoder() override { return this; }
  bool has_bits_per_dim() const override { return offset.has_value(); }
  Result log_likelihood(const Batch& batch, const Options& options, Rng&) override {
    asked_samples = options.importance_samples;
    return {
        .log_prob = batch.x.flatten(1).sum(1), .exact = true, .bits_offset = offset, .protocol = "oracle"};
  }
  std::vector<std::pair<std::string, at::Tensor>> elbo_terms(const Batch& batch, Rng& rng) override {
    const auto draw = rng.uniform({batch.size()});
    return {{"elbo", draw}, {"reconstruction", draw + 1}, {"kl", at::ones({batch.size()})}};
  }
  std::string elbo_protocol() const override { return "oracle"; }
  std::string reconstruction_protocol() const override { return "halved"; }
  at::Tensor reconstruct(const at::Tensor& x) override { return 0.5 * x; }
  at::Tensor interpolate(const at::Tensor& x0, const at::Tensor&, int64_t) override { return x0; }

 private:
  torch::nn::Module module_;
};

/// Has no capability at all.
class Mute final : public Model {
 public:
  torch::nn::Module& module() override { return module_; }
  LossTerms loss(const Batch&, const StepContext&) override { return {}; }
  Samples sample(const SampleRequest&) override { return {}; }

 private:
  torch::nn::Module module_;
};

std::unique_ptr<Metric> make(const std::string& type, const DataSpec& data) {
  return metrics().make(Component(type), data);
}

Batch images(std::vector<double> sums) {
  auto x = at::zeros({static_cast<int64_t>(sums.size()), 1, 12, 12});
  for (size_t i = 0; i < sums.size(); ++i) x[static_cast<int64_t>(i)].fill_(sums[i] / 144);
  return batch_of(x);
}

TEST(Mean, OfPartsIsThatOfTheWhole) {
  const auto values = 1e6 + Rng(1).normal({1000}, at::kDouble);
  Mean whole, parts;
  whole.add(values);
  for (const auto& part : values.split({1, 500, 499})) parts.add(part);
  EXPECT_EQ(parts.count(), 1000);
  EXPECT_NEAR(parts.mean(), values.mean().item<double>(), 1e-9);
  EXPECT_NEAR(parts.std_error(), values.std().item<double>() / std::sqrt(1000.0), 1e-9);
  EXPECT_NEAR(whole.std_error(), parts.std_error(), 1e-9);
}

TEST(Nll, AveragesOverBatchesOfDifferentSizes) {
  Oracle model;
  Rng rng(0);
  auto metric = make("nll", kImages);
  metric->update(model, images({-10, -20}), rng);
  metric->update(model, images({-60}), rng);
  const auto result = metric->compute().at(0);
  EXPECT_EQ(result.name, "nll");
  EXPECT_EQ(result.unit, "nats");
  EXPECT_NEAR(result.value, 30, 1e-4);
  EXPECT_NEAR(result.std_error, std::sqrt(1400.0 / 2 / 3), 1e-3);
  EXPECT_EQ(result.protocol["examples"], 3);
  EXPECT_EQ(result.protocol["exact"], true);
}

TEST(Nll, HandsTheNumberOfImportanceSamplesOn) {
  Oracle model;
  Rng rng(0);
  auto metric =
      metrics().make(make_component("nll", LikelihoodMetricOptions{.importance_samples = 7}), kImages);
  metric->update(model, images({-1}), rng);
  EXPECT_EQ(model.asked_samples, 7);
  EXPECT_EQ(metric->compute().at(0).protocol["importance_samples"], 7);
}

TEST(BitsPerDim, OfTheUniformDensityIsEight) {
  Oracle model;
  model.offset = 8;
  Rng rng(0);
  auto metric = make("bits_per_dim", kImages);
  metric->update(model, images({0, 0}), rng);
  EXPECT_NEAR(metric->compute().at(0).value, 8, 1e-12);
  auto halved = make("bits_per_dim", kImages);
  halved->update(model, images({144 * std::log(2.0)}), rng);  // one bit more for each of 144 pixels
  EXPECT_NEAR(halved->compute().at(0).value, 7, 1e-5);
}

TEST(BitsPerDim, AsksForLevels) {
  Oracle model;
  EXPECT_NE(make("bits_per_dim", kImages)->missing_capability(model), "");
  model.offset = 8;
  EXPECT_EQ(make("bits_per_dim", kImages)->missing_capability(model), "");
  EXPECT_NE(make("bits_per_dim", kPoints)->missing_capability(model), "");
}

TEST(Elbo, ReportsItsTermsWhichAddUp) {
  Oracle model;
  Rng rng(3);
  auto metric = make("elbo", kImages);
  metric->update(model, images({1, 2, 3}), rng);
  const auto results = metric->compute();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].name, "elbo");
  EXPECT_NEAR(results[0].value, results[1].value - results[2].value, 1e-6);
}

TEST(Reconstruction, MeasuresEachImageAndThenAverages) {
  Oracle model;
  Rng rng(0);
  auto metric = make("reconstruction", kImages);
  const auto x = at::stack({at::full({1, 12, 12}, 0.2), at::full({1, 12, 12}, 1.0)});
  metric->update(model, batch_of(x), rng);
  const auto results = metric->compute();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_NEAR(results[0].value, (0.01 + 0.25) / 2, 1e-7);
  EXPECT_NEAR(results[1].value, (20 + 10 * std::log10(4.0)) / 2, 1e-4);
  EXPECT_EQ(results[2].name, "ssim");
}

TEST(Reconstruction, LeavesOutWhatTheDataDoNotHave) {
  Oracle model;
  Rng rng(0);
  auto points = make("reconstruction", kPoints);
  points->update(model, batch_of(at::ones({4, 2})), rng);
  EXPECT_EQ(points->compute().size(), 1U);
  auto small = make("reconstruction", spec(DataKind::images, {1, 8, 8}, 256));
  small->update(model, batch_of(at::ones({4, 1, 8, 8})), rng);
  EXPECT_EQ(small->compute().size(), 2U);  // smaller than the window of SSIM
}

TEST(BitsPerDim, SaysWhatABorderIsWorth) {
  Oracle model;
  model.offset = 8;
  Rng rng(0);
  auto data = kImages;  // 144 dims
  data.padding = 44;
  auto metric = make("bits_per_dim", data);
  metric->update(model, images({0}), rng);
  const auto protocol = metric->compute().at(0).protocol;
  EXPECT_EQ(protocol["padding"],
            "44 of the dims are a border of zeros: over the other 100 the same bits are 11.52 bits/dim");
}

TEST(EveryMetric, SaysWhatItsSpreadAndItsSignAre) {
  Oracle model;
  model.offset = 8;
  Rng rng(0);
  for (const auto& type : metrics().types()) {
    auto metric = make(type, kImages);
    metric->update(model, batch_of(at::rand({2, 1, 12, 12})), rng);
    for (const auto& result : metric->compute()) {
      EXPECT_EQ(result.protocol["examples"], 2) << type;
      EXPECT_EQ(result.protocol["std_error"], "of the mean over the examples") << type;
      if (result.unit == "nats" || result.unit == "bits/dim")
        EXPECT_TRUE(result.protocol.contains("sign")) << type;
    }
  }
}

TEST(EveryMetric, SaysWhatAModelLacks) {
  Mute model;
  Rng rng(0);
  for (const auto& type : metrics().types()) {
    auto metric = make(type, kImages);
    EXPECT_NE(metric->missing_capability(model), "") << type;
    EXPECT_THROW(metric->update(model, images({1}), rng), ConfigError) << type;
  }
}

}  // namespace
}  // namespace gen
