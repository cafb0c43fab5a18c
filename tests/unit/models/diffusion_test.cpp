#include "models/diffusion/model.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/safetensors.h"
#include "support/components.h"
#include "support/data_specs.h"
#include "support/support.h"

namespace gen {
namespace {

using test::images;
using test::points;

std::unique_ptr<Model> make_model(Json options, const DataSpec& data) {
  options["type"] = "diffusion";
  return models().make(test::component_of(models(), options), data);
}

Json small_unet() {
  return {{"type", "unet2d"},
          {"block_out_channels", {8, 16}},
          {"down_block_types", {"DownBlock2D", "AttnDownBlock2D"}},
          {"up_block_types", {"AttnUpBlock2D", "UpBlock2D"}},
          {"layers_per_block", 1},
          {"norm_num_groups", 4}};
}

// Gives one value everywhere; remembers what it was asked.
class ConstantNetwork final : public DenoisingNetwork {
 public:
  explicit ConstantNetwork(double value) : value_(register_parameter("value", torch::full({1}, value))) {}
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& labels) override {
    times.push_back(timestep.clone());
    class_labels = labels;
    training_when_called = is_training();
    return value_.expand_as(sample);
  }
  std::vector<int64_t> input_shape() const override { return {1, -1, -1}; }
  Json ecosystem_config() const override { return {{"_class_name", "ConstantNetwork"}}; }
  std::vector<at::Tensor> times;
  at::Tensor class_labels;
  bool training_when_called = false;

 private:
  at::Tensor value_;
};

std::unique_ptr<DiffusionModel> around(const std::shared_ptr<DenoisingNetwork>& network, const DataSpec& data,
                                       PredictionType type = PredictionType::epsilon,
                                       bool conditional = false) {
  return std::make_unique<DiffusionModel>(data, network, test::make_schedule({{"type", "linear"}}), type,
                                          conditional);
}

Batch batch_of(at::Tensor x) {
  Batch batch;
  batch.x = std::move(x);
  return batch;
}

SampleRequest request_for(int64_t count) {
  SampleRequest request;
  request.count = count;
  return request;
}

TEST(DiffusionLoss, OfAConstantIsTheSecondMomentOfTheNoiseAroundIt) {
  const auto network = std::make_shared<ConstantNetwork>(0.5);
  auto model = around(network, images(1, 8));
  Rng rng(1);
  const auto terms = model->loss(batch_of(torch::rand({256, 1, 8, 8})), {.rng = rng});
  EXPECT_NEAR(terms.total.item<double>(), 1 + 0.25, 0.05);  // E (e - 0.5)^2
  const auto t = network->times.at(0);
  EXPECT_EQ(t.scalar_type(), at::kLong);
  EXPECT_GE(t.min().item<int64_t>(), 0);
  EXPECT_LT(t.max().item<int64_t>(), 1000);
  EXPECT_NEAR(t.to(at::kDouble).mean().item<double>(), 499.5, 60);
}

TEST(DiffusionLoss, SeesImagesInMinusOneToOneAndPointsAsTheyAre) {
  Rng rng(1);
  const auto predicts_zero = [&](const DataSpec& data, at::Tensor x) {
    auto model = around(std::make_shared<ConstantNetwork>(0), data, PredictionType::sample);
    return model->loss(batch_of(std::move(x)), {.rng = rng}).total.item<double>();
  };
  EXPECT_NEAR(predicts_zero(images(1, 4), torch::ones({3, 1, 4, 4})), 1, 1e-6);
  EXPECT_NEAR(predicts_zero(images(1, 4), torch::zeros({3, 1, 4, 4})), 1, 1e-6);
  EXPECT_NEAR(predicts_zero(points(2), torch::full({3, 2}, 2.0)), 4, 1e-6);
}

TEST(DiffusionSampling, ReturnsImagesInTheUnitsOfTheData) {
  auto model = around(std::make_shared<ConstantNetwork>(-0.5), images(3, 4), PredictionType::sample);
  const auto samples = model->sample(request_for(2));
  EXPECT_EQ(samples.x.sizes(), (std::vector<int64_t>{2, 3, 4, 4}));
  EXPECT_LT(test::max_abs_diff(samples.x, torch::full({2, 3, 4, 4}, 0.25)), 1e-5);
  EXPECT_EQ(samples.evaluations, 50);
  EXPECT_FALSE(samples.label.defined());
}

TEST(DiffusionSampling, EvaluatesAndLeavesTheModeOfTheModule) {
  const auto network = std::make_shared<ConstantNetwork>(0);
  auto model = around(network, points(2));
  network->train();
  auto samples = model->sample(request_for(1));
  EXPECT_FALSE(network->training_when_called);
  EXPECT_TRUE(network->is_training());
  EXPECT_NO_THROW(samples.x.mul_(2));  // an ordinary tensor, not one of inference mode
}

TEST(DiffusionSampling, TakesTheSamplerAndReportsItsSteps) {
  const auto network = std::make_shared<ConstantNetwork>(0);
  auto model = around(network, points(2));
  int64_t steps = 0;
  auto request = request_for(3);
  request.sampler = test::component_of(samplers(), {{"type", "ddpm"}, {"steps", 7}});
  request.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(done, ++steps);
    EXPECT_EQ(total, 7);
  };
  EXPECT_EQ(model->sample(request).evaluations, 7);
  EXPECT_EQ(steps, 7);
  EXPECT_EQ(network->times.size(), 7U);
}

TEST(DiffusionSampling, DoesNotDependOnTheBatch) {
  torch::manual_seed(0);
  auto model = make_model({{"network", small_unet()}}, images(1, 8));
  auto request = request_for(3);
  request.seed = 9;
  request.sampler = test::component_of(samplers(), {{"type", "ddpm"}, {"steps", 3}});
  const auto all = model->sample(request).x;
  request.count = 1;
  request.first_index = 2;
  EXPECT_LT(test::max_abs_diff(model->sample(request).x, all.slice(0, 2, 3)), 1e-5);
  EXPECT_GT(test::max_abs_diff(all[0], all[2]), 1e-2);
}

TEST(ConditionalDiffusion, GoesThroughTheClassesByIndexOrTakesLabels) {
  const auto network = std::make_shared<ConstantNetwork>(0);
  auto model = around(network, images(1, 4, 3), PredictionType::epsilon, true);
  auto request = request_for(4);
  request.first_index = 2;
  EXPECT_TRUE(torch::equal(model->sample(request).label, torch::tensor({2, 0, 1, 2})));
  EXPECT_TRUE(torch::equal(network->class_labels, torch::tensor({2, 0, 1, 2})));
  request.labels = {1, 1, 0, 2};
  EXPECT_TRUE(torch::equal(model->sample(request).label, torch::tensor({1, 1, 0, 2})));
  request.labels = {1, 1, 0, 3};
  EXPECT_THROW(model->sample(request), ConfigError);
  request.labels = {1};
  EXPECT_THROW(model->sample(request), ConfigError);
}

TEST(ConditionalDiffusion, NeedsClassesAndRefusesLabelsWithoutThem) {
  EXPECT_THROW(make_model({{"network", small_unet()}, {"conditional", true}}, images(1, 8)), ConfigError);
  auto model = around(std::make_shared<ConstantNetwork>(0), points(2));
  auto request = request_for(1);
  request.labels = {0};
  EXPECT_THROW(model->sample(request), ConfigError);
}

TEST(Diffusion, NamesTheTensorsThatForwardExpects) {
  auto model = around(std::make_shared<ConstantNetwork>(0.5), images(1, 4));
  const TensorMap inputs{{"sample", torch::zeros({2, 1, 4, 4})}, {"timestep", torch::tensor(3)}};
  EXPECT_LT(test::max_abs_diff(model->forward_named(inputs).at("out"), torch::full({2, 1, 4, 4}, 0.5)), 1e-9);
  try {
    model->forward_named({{"sample", torch::zeros({2, 1, 4, 4})}});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(),
                 "expected the tensors sample, timestep and, where the network is conditioned on them, "
                 "class_labels, got sample");
  }
}

TEST(Diffusion, SavesTheNamesAndTheConfigOfDiffusers) {
  auto model = make_model({{"network", small_unet()}}, images(1, 8));
  const auto config = Json::parse(model->weights_metadata().at("config"));
  EXPECT_EQ(config["_class_name"], "UNet2DModel");
  EXPECT_EQ(config["in_channels"], 1);
  EXPECT_EQ(state_of(model->module()).count("down_blocks.0.resnets.0.conv1.weight"), 1U);
}

// Whole pipelines of diffusers: the noise of the batch is torch.randn of one generator, then one draw a step.
void expect_pipeline_images(const std::string& name, const Json& sampler) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/" + name);
  auto model = around(load_network_folder(folder / "unet"), images(3, 16));
  at::Generator torch_generator = at::detail::createCPUGenerator(5);
  const auto noise = [&](const at::Tensor& like) { return torch::randn(like.sizes(), torch_generator); };
  const auto x = torch::randn({2, 3, 16, 16}, torch_generator);
  const auto drawn =
      model->draw(*test::make_sampler(sampler), x, {}, noise, {}).x.clamp(0, 1);   // [2, 3, 16, 16]
  const auto expected = read_safetensors(folder / "io.safetensors").at("images");  // [2, 16, 16, 3]
  EXPECT_LT(test::max_abs_diff(drawn.permute({0, 2, 3, 1}), expected), 1e-4);
}

TEST(DiffusersReference, DdimPipeline) {
  expect_pipeline_images("ddim_pipeline", {{"type", "ddim"}, {"steps", 10}});
}
TEST(DiffusersReference, DdpmPipeline) {
  expect_pipeline_images("ddpm_pipeline", {{"type", "ddpm"}, {"steps", 20}});
}

TEST(DiffusersReference, TrainingLossSeries) {
  const auto folder = GEN_SHARED_OR_SKIP("reference");
  auto model =
      around(load_network_folder(folder / "unet2d_class"), images(1, 16, 10), PredictionType::epsilon, true);
  const auto io = read_safetensors(folder / "ddpm_training/io.safetensors");
  model->module().train();
  torch::optim::AdamW optimizer(model->module().parameters(),
                                torch::optim::AdamWOptions(1e-3).weight_decay(0.01).betas({0.9, 0.999}));
  for (int64_t step = 0; step < 6; ++step) {
    optimizer.zero_grad();
    const auto at_step = [&](const char* key) { return io.at(key)[step]; };
    const auto loss =
        model->loss_at(at_step("x"), at_step("class_labels"), at_step("timesteps"), at_step("noise"));
    loss.backward();
    optimizer.step();
    EXPECT_NEAR(loss.item<double>(), at_step("losses").item<double>(), 1e-5) << "step " << step;
  }
  EXPECT_LT(
      test::max_abs_diff(state_of(model->module()).at("conv_out.weight"), io.at("final_conv_out_weight")),
      1e-4);
}

}  // namespace
}  // namespace gen
