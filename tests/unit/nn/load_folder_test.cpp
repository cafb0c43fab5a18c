// Folders as other programs leave them.
#include <torch/torch.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/safetensors.h"
#include "gen/nn/network.h"
#include "support/support.h"
#include "support/tiny_unet.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

struct NetworkFolder : testing::Test {
  NetworkFolder() {
    torch::manual_seed(0);
    network = make_unet2d(test::tiny_unet(), {});
    config = network->ecosystem_config();
    write_safetensors(weights(), state_of(*network));
  }
  fs::path weights(const std::string& variant = "") const {
    return folder / ("diffusion_pytorch_model" + variant + ".safetensors");
  }
  std::shared_ptr<DenoisingNetwork> load() const {
    test::write_text(folder / "config.json", config.dump());
    return load_network_folder(folder.path());
  }
  std::string refusal() const {
    try {
      load();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  test::TempDir folder;
  std::shared_ptr<DenoisingNetwork> network;
  Json config;
};

TEST_F(NetworkFolder, ReadsTheWordsThatDiffusersReads) {
  const std::function<void(Json&)> changes[] = {
      [](Json& c) { c["_class_name"] = nullptr; },
      [](Json& c) { c.erase("_class_name"); },
      [](Json& c) { c["_class_name"] = {"diffusers", "UNet2DModel"}; },
      [](Json& c) { c["sample_size"] = {16, 8}; },
      [](Json& c) { c["down_block_types"] = {"UNetResDownBlock2D", "UNetResAttnDownBlock2D"}; },
      [](Json& c) { c["up_block_types"] = {"UNetResAttnUpBlock2D", "UNetResUpBlock2D"}; },
      [](Json& c) { c["use_linear_projection"] = false; },
  };
  const Json plain = config;
  const auto weight = state_of(*network).at("conv_in.weight");
  for (const auto& change : changes) {
    config = plain;
    change(config);
    EXPECT_TRUE(state_of(*load()).at("conv_in.weight").equal(weight)) << config.dump();
  }
}

TEST_F(NetworkFolder, ATableOfClassesIsNotMadeBesideAClassEmbedType) {
  config["class_embed_type"] = "timestep";
  config["num_class_embeds"] = 10;
  EXPECT_NE(refusal().find("class_embedding.linear_1.bias"), std::string::npos) << refusal();
}

TEST_F(NetworkFolder, TakesTheVariantOfAnotherPrecisionAndConvertsIt) {
  TensorMap half;
  for (const auto& [name, tensor] : state_of(*network)) half[name] = tensor.to(at::kHalf);
  fs::remove(weights());
  write_safetensors(weights(".fp16"), half);
  write_safetensors(weights(".non_ema"), half);
  const auto loaded = state_of(*load());
  EXPECT_EQ(loaded.at("conv_in.weight").scalar_type(), at::kFloat);
  EXPECT_TRUE(loaded.at("conv_in.weight").equal(half.at("conv_in.weight").to(at::kFloat)));
  fs::rename(weights(".fp16"), weights(".ema"));
  EXPECT_NE(refusal().find("several variants"), std::string::npos) << refusal();
}

TEST_F(NetworkFolder, NamesWhatLiesThereInsteadOfTheWeights) {
  test::write_text(weights(), "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
  EXPECT_NE(refusal().find("a Git-LFS pointer"), std::string::npos) << refusal();
  fs::rename(weights(), folder / "model.safetensors");
  EXPECT_NE(refusal().find("of another name: model.safetensors"), std::string::npos) << refusal();
  test::write_text(folder / "diffusion_pytorch_model.bin", "PK\x03\x04");
  EXPECT_NE(refusal().find("diffusion_pytorch_model.bin is a pickle"), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("cd " + folder.path().string() + " && python3 -c"), std::string::npos)
      << refusal();
}

TEST_F(NetworkFolder, AnOptionThatTheNetworkCannotTakeNamesTheFile) {
  config["out_channels"] = nullptr;
  EXPECT_TRUE(
      refusal().starts_with((folder / "config.json").string() + ": /out_channels: expected an integer"))
      << refusal();
}

TEST_F(NetworkFolder, NamesTheClassThatItCannotRead) {
  config = {{"model_type", "gpt2"}};
  EXPECT_NE(refusal().find("got \"gpt2\" (model_type)"), std::string::npos) << refusal();
  config = {{"_class_name", "AutoencoderKL"}};
  EXPECT_NE(refusal().find("got \"AutoencoderKL\" (_class_name)"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace gen
