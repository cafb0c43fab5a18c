#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/safetensors.h"
#include "support/support.h"
#include "support/tiny_unet.h"

namespace gen {
namespace {

UNet2dOptions tiny() {
  UNet2dOptions o = test::tiny_unet();
  o.sample_size = 8;
  return o;
}

int64_t count_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& p : module.parameters()) count += p.numel();
  return count;
}

void expect_parity(const std::string& name) {
  const auto folder = test::shared_dir() / "reference" / name;
  const auto network = load_network_folder(folder);
  const auto io = read_safetensors(folder / "io.safetensors");
  const auto labels = io.contains("class_labels") ? io.at("class_labels") : at::Tensor();
  const at::NoGradGuard no_grad;
  const auto out = network->forward(io.at("sample"), io.at("timestep"), labels);
  EXPECT_LT(test::max_abs_diff(out, io.at("out")), 1e-4) << name;
  network->prepare_inference(at::kFloat);
  EXPECT_LT(test::max_abs_diff(network->forward(io.at("sample"), io.at("timestep"), labels), io.at("out")),
            1e-4)
      << name << ", prepared";
}

TEST(UNet2dParity, MatchesDiffusersOutput) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/unet2d");
  expect_parity("unet2d");
}

TEST(UNet2dParity, MatchesDiffusersOutputWithClassLabels) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/unet2d_class");
  expect_parity("unet2d_class");
}

TEST(UNet2dParity, MatchesDiffusersNcsnpp) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/ncsnpp");
  expect_parity("ncsnpp");
}

TEST(UNet2dParity, ConfigIsTheFileThatDiffusersWrote) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/unet2d");
  for (const char* name : {"unet2d", "unet2d_class", "ncsnpp"}) {
    const auto path = folder.parent_path() / name / "config.json";
    EXPECT_EQ(load_network_folder(path.parent_path())->ecosystem_config(), Json::parse(read_file(path)))
        << name;
  }
}

TEST(UNet2dInit, SameSeedGivesTheWeightsAndOutputsOfDiffusers) {
  torch::manual_seed(0);
  UNet2d network(tiny());
  EXPECT_EQ(count_parameters(network), 11767);
  const auto weight = state_of(network).at("conv_in.weight")[0][0][0];
  EXPECT_LT(test::max_abs_diff(weight, at::tensor({-.00144084F, .10323862F, -.15839511F})), 1e-7);
  torch::manual_seed(0);
  const auto x = torch::randn({2, 3, 8, 8});
  const at::NoGradGuard no_grad;
  const auto out = network.forward(x, at::tensor({10, 999}), {});
  EXPECT_NEAR(out.sum().item<double>(), 18.427393, 1e-4);
  EXPECT_NEAR(out.abs().sum().item<double>(), 98.935669, 1e-4);
  const auto corner = at::tensor(
      {-.433555F, -.625403F, -.31565F, -.872282F, -.197612F, -.222689F, -.4861F, -.554306F, -.308302F});
  EXPECT_LT(test::max_abs_diff(out[0][2].slice(0, 5).slice(1, 5).reshape({9}), corner), 1e-5);
}

TEST(UNet2dInit, NcsnppWithTheSameSeed) {
  UNet2dOptions o;
  o.sample_size = 32;
  o.in_channels = o.out_channels = 3;
  o.block_out_channels = {32, 64, 64, 64};
  o.time_embedding_type = "fourier";
  o.norm_eps = 1e-6;
  o.mid_block_scale_factor = std::sqrt(2.0);
  o.norm_num_groups.reset();
  o.layers_per_block = 1;
  o.down_block_types = {"SkipDownBlock2D", "AttnSkipDownBlock2D", "SkipDownBlock2D", "SkipDownBlock2D"};
  o.up_block_types = {"SkipUpBlock2D", "SkipUpBlock2D", "AttnSkipUpBlock2D", "SkipUpBlock2D"};
  torch::manual_seed(0);
  UNet2d network(o);
  EXPECT_EQ(count_parameters(network), 1781548);
  torch::manual_seed(0);
  const auto x = torch::randn({4, 3, 32, 32});
  const at::NoGradGuard no_grad;
  const auto out = network.forward(x, at::tensor({10, 10, 10, 10}), {});
  EXPECT_NEAR(out.sum().item<double>(), 80.441574, 1e-2);
  EXPECT_NEAR(out.abs().sum().item<double>(), 537.181152, 1e-2);
}

TEST(UNet2dInit, ScaleShiftWithClassesAndTheSameSeed) {
  UNet2dOptions o = tiny();
  o.block_out_channels = {8, 16};
  o.flip_sin_to_cos = false;
  o.freq_shift = 1;
  o.downsample_padding = 0;
  o.attention_head_dim.reset();
  o.num_class_embeds = 10;
  o.resnet_time_scale_shift = "scale_shift";
  torch::manual_seed(0);
  EXPECT_EQ(count_parameters(UNet2d(o)), 48979);
}

TEST(UNet2d, AnySizeComesBackAtItsSize) {
  torch::manual_seed(0);
  UNet2dOptions o = tiny();
  o.block_out_channels = {4, 8, 8};
  o.down_block_types = {"DownBlock2D", "DownBlock2D", "AttnDownBlock2D"};
  o.up_block_types = {"AttnUpBlock2D", "UpBlock2D", "UpBlock2D"};
  UNet2d network(o);
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{28, 28}, {7, 13}, {1, 2}}) {
    const auto out = network.forward(torch::randn({2, 3, h, w}), at::tensor({3}), {});
    EXPECT_EQ(out.sizes(), at::IntArrayRef({2, 3, h, w}));
    EXPECT_TRUE(out.isfinite().all().item<bool>());
  }
}

TEST(UNet2d, OptionsLeftNullComeFromTheData) {
  UNet2dOptions o = tiny();
  o.sample_size.reset();
  o.in_channels.reset();
  o.out_channels.reset();
  const auto network = make_unet2d(o, {.shape = {1, 28, 28}, .num_classes = 10});
  const Json config = network->ecosystem_config();
  EXPECT_EQ(config["in_channels"], 1);
  EXPECT_EQ(config["out_channels"], 1);
  EXPECT_EQ(config["sample_size"], 28);
  EXPECT_EQ(config["num_class_embeds"], 10);
  EXPECT_THROW(make_unet2d(o, {}), ConfigError);
  EXPECT_THROW(make_unet2d(o, {.shape = {2}, .num_classes = 0}), ConfigError);
}

TEST(UNet2d, RefusesInputsThatDoNotFit) {
  UNet2d network(tiny());
  const auto x = at::zeros({2, 3, 8, 8});
  EXPECT_THROW(network.forward(at::zeros({2, 1, 8, 8}), at::tensor({1, 2}), {}), ShapeError);
  EXPECT_THROW(network.forward(x, at::tensor({1, 2, 3}), {}), ShapeError);
  EXPECT_THROW(network.forward(x, at::tensor({1, 2}), at::tensor({0, 1})), ShapeError);
  UNet2dOptions o = tiny();
  o.num_class_embeds = 4;
  UNet2d conditional(o);
  EXPECT_THROW(conditional.forward(x, at::tensor({1, 2}), {}), ShapeError);
  EXPECT_THROW(conditional.forward(x, at::tensor({1, 2}), at::tensor({0, 4})), ShapeError);
  EXPECT_THROW(conditional.forward(x, at::tensor({1, 2}), at::tensor({0, 1}).unsqueeze(1)), ShapeError);
}

TEST(UNet2d, LabelsOfTypeIdentityAreVectorsAndNeverSpreadOverTheChannels) {
  UNet2dOptions o = tiny();
  o.class_embed_type = "identity";
  UNet2d network(o);
  const int64_t channels = o.time_channels();  // 16: as many labels would add up with every channel
  const auto x = at::zeros({channels, 3, 8, 8}), t = at::zeros({channels}, at::kLong);
  EXPECT_THROW(network.forward(x, t, at::zeros({channels}, at::kLong)), ShapeError);
  EXPECT_NO_THROW(network.forward(x, t, at::zeros({channels, channels})));
}

TEST(UNet2d, EveryOptionThatDisagreesWithItsContextIsTold) {
  UNet2dOptions o = tiny();
  o.time_embedding_type = "learned";
  o.num_train_timesteps = 10;
  o.class_embed_type = "identity";
  try {
    make_unet2d(o, {.shape = {1, 16, 16}, .num_classes = 10, .num_timesteps = 1000});
    FAIL();
  } catch (const OptionError& error) {
    std::vector<std::string> pointers;
    for (const auto& mistake : error.mistakes()) pointers.push_back(mistake.pointer);
    EXPECT_EQ(pointers, (std::vector<std::string>{"/in_channels", "/out_channels", "/sample_size",
                                                  "/class_embed_type", "/num_train_timesteps"}));
  }
}

TEST(UNet2dOptions, RefusesWhatTheNetworkCannotDo) {
  Issues issues;
  const auto document = Document::parse(
      R"({"down_block_types": ["DownBlock3D"], "up_block_types": ["UpBlock2D", "UpBlock2D"], "block_out_channels": [32],
          "resnet_time_scale_shift": "spatial", "blocks": 1})",
      "c.json", issues);
  UNet2dOptions options;
  load(document, options, issues);
  ASSERT_EQ(issues.size(), 3U) << fmt::format("{}", fmt::join(issues.lines(), "\n"));
  EXPECT_TRUE(issues.lines()[0].starts_with("c.json: /down_block_types/0: ")) << issues.lines()[0];
  EXPECT_TRUE(issues.lines()[1].starts_with("c.json: /resnet_time_scale_shift: ")) << issues.lines()[1];
  EXPECT_TRUE(issues.lines()[2].starts_with("c.json: /blocks: unknown key")) << issues.lines()[2];
}

TEST(UNet2dOptions, RefusesLearnedTimesWithoutTheirNumber) {
  Issues issues;
  UNet2dOptions options;
  load(Document::parse(R"({"time_embedding_type": "learned"})", "c.json", issues), options, issues);
  ASSERT_EQ(issues.size(), 1U) << fmt::format("{}", fmt::join(issues.lines(), "\n"));
  EXPECT_NE(issues.lines()[0].find("num_train_timesteps"), std::string::npos) << issues.lines()[0];
}

TEST(UNet2dInference, PackedWeightsGiveTheSameOutput) {
  torch::manual_seed(3);
  UNet2d network(tiny());
  const auto x = torch::randn({2, *tiny().in_channels, 13, 10}), t = at::tensor({3, 700});
  const at::InferenceMode inference;
  const auto plain = network.forward(x, t, {});
  network.eval();
  network.prepare_inference(at::kFloat);
  EXPECT_LT(test::max_abs_diff(network.forward(x, t, {}), plain), 1e-5);
  // The weights were laid out for the first size; another one still fits them.
  const auto wide = torch::randn({1, *tiny().in_channels, 24, 24});
  const auto packed = network.forward(wide, t.slice(0, 0, 1), {});
  network.prepare_inference(at::kBFloat16);
  const auto half = network.forward(x, t, {});
  EXPECT_EQ(half.scalar_type(), at::kFloat);
  EXPECT_LT(test::max_abs_diff(half, plain), 0.05 * plain.abs().max().item<double>());
  network.train();
  EXPECT_LT(test::max_abs_diff(network.forward(wide, t.slice(0, 0, 1), {}), packed), 1e-5);
  EXPECT_LT(test::max_abs_diff(network.forward(x, t, {}), plain), 1e-6);
}

}  // namespace
}  // namespace gen
