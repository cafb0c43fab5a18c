#include "models/flow/flow.h"

#include <cmath>
#include <numbers>

#include "gen/core/error.h"
#include "models/flow/conditioner.h"
#include "models/flow/flatten.h"
#include "support/data_specs.h"
#include "support/support.h"

namespace gen::flow {
namespace {

SampleRequest request(int64_t count, uint64_t seed = 0, int64_t first_index = 0) {
  SampleRequest r;
  r.count = count;
  r.seed = seed;
  r.first_index = first_index;
  return r;
}

Component realnvp_mlp(int64_t couplings, std::vector<int64_t> hidden, FlowNorm norm = FlowNorm::actnorm) {
  return make_component(
      "realnvp", RealnvpOptions{.couplings = couplings,
                                .norm = norm,
                                .network = make_component("mlp", MlpConditionerOptions{std::move(hidden)})});
}
Component realnvp_resnet() {
  return make_component(
      "realnvp",
      RealnvpOptions{.couplings = 2,
                     .network = make_component(
                         "resnet", ResnetConditionerOptions{.hidden_channels = 8, .num_blocks = 1})});
}
Component nice_small() { return make_component("nice", NiceOptions{.hidden_sizes = {16, 16}}); }
Component only(const char* type, auto options) {
  return make_component("sequence", SequenceOptions{{make_component(type, options)}});
}

void randomize(torch::nn::Module& module, double std) {
  torch::NoGradGuard no_grad;
  for (auto& p : module.parameters()) p.normal_(0, std);
}

Batch image_batch(const DataSpec& data, int64_t n) {
  Batch batch;
  batch.x = torch::randint(0, 256, {n, data.shape[0], data.shape[1], data.shape[2]}).to(at::kFloat) / 255;
  if (data.num_classes > 0) batch.label = torch::randint(0, data.num_classes, {n});
  return batch;
}

double bits_per_dim(const Likelihood::Result& r, int64_t dims) {
  return *r.bits_offset - r.log_prob.mean().item<double>() / (static_cast<double>(dims) * std::numbers::ln2);
}

TEST(FlowLikelihood, LogisticPriorThroughItsOwnLogitIsUniformAndGivesEightBitsExactly) {
  // sigmoid maps a standard logistic to the uniform density on (0, 1): logit with alpha -> 0 and the logistic
  // prior.
  const auto data = images(1, 4);
  Flow flow(
      {.architecture = only("flatten", FlattenOptions{}), .prior = PriorKind::logistic, .logit_alpha = 1e-9},
      data);
  Rng rng(1);
  const auto result = flow.log_likelihood(image_batch(data, 16), {}, rng);
  EXPECT_NEAR(bits_per_dim(result, data.dims()), 8.0, 1e-5);
}

TEST(FlowLikelihood, NiceNatsBecomeThePublishedBitsPerDim) {
  // 1980.50 nats on MNIST (Dinh et al. 2015) are 4.3555 bits/dim.
  Likelihood::Result result;
  result.log_prob = torch::full({1}, 1980.50, at::kDouble);
  Flow flow({.architecture = nice_small(), .prior = PriorKind::logistic}, images(1, 28));
  Rng rng(1);
  result.bits_offset = flow.log_likelihood(image_batch(images(1, 28), 1), {}, rng).bits_offset;
  EXPECT_NEAR(bits_per_dim(result, 784), 4.3555, 5e-5);
}

TEST(FlowLikelihood, LossAndLikelihoodAgree) {
  torch::manual_seed(3);
  const auto data = images(1, 8);
  Flow flow({.architecture = realnvp_resnet(), .logit_alpha = 0.05}, data);
  randomize(flow.module(), 0.1);
  const auto batch = image_batch(data, 8);
  Rng a(5), b(5);
  const StepContext context{.rng = a};
  const auto loss = flow.loss(batch, context).total.item<double>();
  EXPECT_NEAR(loss, bits_per_dim(flow.log_likelihood(batch, {}, b), data.dims()), 1e-4);
}

TEST(FlowInitialization, DrawsItsDequantisationFromTheRngGiven) {
  const auto data = images(1, 8);
  const auto scale_after = [&](uint64_t seed) {
    torch::manual_seed(3);
    Flow flow({.architecture = nice_small()}, data);
    Rng rng(seed);
    flow.initialize(image_batch(data, 8), rng);
    return flow.module().parameters().back().clone();
  };
  EXPECT_TRUE(torch::equal(scale_after(1), scale_after(1)));
  EXPECT_FALSE(torch::equal(scale_after(1), scale_after(2)));
}

TEST(FlowLikelihood, ImportanceWeightingOnlyTightensTheBound) {
  torch::manual_seed(3);
  const auto data = images(1, 4);
  Flow flow({.architecture = nice_small(), .prior = PriorKind::logistic}, data);
  randomize(flow.module(), 0.5);
  auto batch = image_batch(data, 64);
  Rng a(5), b(5);
  const double one = flow.log_likelihood(batch, {1}, a).log_prob.mean().item<double>();
  const auto many = flow.log_likelihood(batch, {32}, b);
  EXPECT_GT(many.log_prob.mean().item<double>(), one);
  EXPECT_FALSE(many.exact);
}

TEST(FlowLikelihood, DensityOverThePlaneIntegratesToOne) {
  for (const auto& [seed, prior] : {std::pair{1, PriorKind::gaussian}, std::pair{2, PriorKind::gaussian},
                                    std::pair{3, PriorKind::logistic}}) {
    torch::manual_seed(seed);
    Flow flow({.architecture = realnvp_mlp(4, {16, 16}), .prior = prior}, points(2));
    randomize(flow.module(), 0.25);
    constexpr int64_t kSide = 500;
    constexpr double kHalfWidth = 30;
    const auto axis = (torch::arange(kSide).to(at::kFloat) + 0.5) * (2 * kHalfWidth / kSide) - kHalfWidth;
    const auto grid = torch::meshgrid({axis, axis}, "ij");
    Batch batch;
    batch.x = torch::stack({grid[0].flatten(), grid[1].flatten()}, 1);
    Rng rng(0);
    const auto result = flow.log_likelihood(batch, {}, rng);
    EXPECT_TRUE(result.exact);
    EXPECT_FALSE(result.bits_offset.has_value());
    const double cell = std::pow(2 * kHalfWidth / kSide, 2);
    EXPECT_NEAR(result.log_prob.to(at::kDouble).exp().sum().item<double>() * cell, 1.0, 5e-3)
        << "seed " << seed;
  }
}

TEST(FlowSampling, SamplesEncodeBackToThePriorsNoise) {
  torch::manual_seed(4);
  for (const auto& architecture : {realnvp_mlp(4, {8}), realnvp_mlp(4, {8}, FlowNorm::batch_norm)}) {
    Flow flow({.architecture = architecture}, points(2));
    randomize(flow.module(), 0.3);
    flow.module().eval();
    const auto samples = flow.sample(request(6, 9));
    SampleRng rng(9, 0, 6);
    const auto z = flow.forward_named({{"x", samples.x}}).at("z0");
    EXPECT_LE(test::max_abs_diff(z, rng.normal({2})), 1e-4);
  }
}

TEST(FlowSampling, RoundingASampleGivesTheLevelThatWasDequantised) {
  // An identity flow passes the prior's noise y through, and level k of 256 holds y in [k/256, (k+1)/256).
  Flow flow({.architecture = only("flatten", FlattenOptions{})}, images(1, 8));
  SampleRng rng(2, 0, 4);
  const auto y = rng.normal({64});
  const auto x = flow.sample(request(4, 2)).x.flatten(1);
  EXPECT_TRUE(torch::equal((x * 255).round(), (y * 256).floor()));
}

TEST(FlowSampling, SamplesDoNotDependOnTheBatch) {
  torch::manual_seed(4);
  Flow flow({.architecture = realnvp_resnet(), .logit_alpha = 0.05}, images(1, 8));
  randomize(flow.module(), 0.1);
  const auto all = flow.sample(request(4, 2)).x;
  EXPECT_EQ(all.sizes(), at::IntArrayRef({4, 1, 8, 8}));
  EXPECT_LE(test::max_abs_diff(all.narrow(0, 3, 1), flow.sample(request(1, 2, 3)).x), 1e-5);
}

TEST(FlowSampling, TemperatureZeroGivesTheModeOfThePrior) {
  Flow flow({.architecture = realnvp_mlp(2, {8})}, points(2));
  auto cold = request(3);
  cold.temperature = 0;
  const auto x = flow.sample(cold).x;
  EXPECT_TRUE(torch::equal(x, torch::zeros({3, 2})));
}

TEST(ConditionalFlow, LabelsChangeTheDensityAndGoThroughTheClassesWhereNoneAreGiven) {
  torch::manual_seed(5);
  for (const bool image : {false, true}) {
    const auto data = image ? images(1, 4, 3) : points(2, 3);
    Flow flow({.architecture = image ? realnvp_resnet() : realnvp_mlp(4, {8}), .conditional = true}, data);
    randomize(flow.module(), 0.3);
    Batch batch;
    batch.x = image ? image_batch(data, 5).x : torch::randn({5, 2});
    Rng a(1), b(1);
    batch.label = torch::zeros({5}, at::kLong);
    const auto zero = flow.log_likelihood(batch, {}, a).log_prob;
    batch.label = torch::ones({5}, at::kLong);
    const auto one = flow.log_likelihood(batch, {}, b).log_prob;
    EXPECT_GT(test::max_abs_diff(zero, one), 1e-3);
    EXPECT_TRUE(torch::equal(flow.sample(request(5)).label, torch::tensor({0, 1, 2, 0, 1}, at::kLong)));
    auto two_and_zero = request(2);
    two_and_zero.labels = {2, 0};
    const auto asked = flow.sample(two_and_zero);
    EXPECT_TRUE(torch::equal(asked.label, torch::tensor({2, 0}, at::kLong)));
  }
}

TEST(FlowOptions, RefusesWhatCannotBeHonoured) {
  EXPECT_THROW(Flow({.logit_alpha = 0.05}, points(2)), ConfigError);
  EXPECT_THROW(Flow({.conditional = true}, points(2)), ConfigError);
  EXPECT_THROW(Flow({.architecture = make_component("realnvp", RealnvpOptions{.num_scales = 2})}, points(2)),
               ConfigError);
  EXPECT_THROW(
      Flow({.architecture = make_component("realnvp", RealnvpOptions{.num_scales = 3})}, images(1, 28)),
      ConfigError);  // the third scale would be 7 x 7
  Flow flow({.architecture = realnvp_mlp(2, {8})}, points(2));
  auto labelled = request(1);
  labelled.labels = {0};
  EXPECT_THROW(flow.sample(labelled), ConfigError);
  EXPECT_THROW(flow.forward_named({}), DataError);
}

TEST(RealNvp, FactorsHalfOfTheChannelsOutAtEachScale) {
  const auto flow = make_realnvp({.num_scales = 2, .couplings = 1}, {.shape = {1, 28, 28}});
  EXPECT_EQ(flow->latent_shapes(), (std::vector<Shape>{{2, 14, 14}, {2, 14, 14}}));
}

}  // namespace
}  // namespace gen::flow
