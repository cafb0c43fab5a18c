// Runs that begin at the weights of others' models.
#include <nlohmann/json.hpp>

#include "gen/io/file.h"
#include "gen/io/safetensors.h"
#include "gen_command.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

TEST(InitFrom, AFolderOfDiffusersGivesItsBits) {
  const auto unet = GEN_SHARED_OR_SKIP("reference/unet2d");
  const TempDir folder;
  Json network = Json::parse(read_text(unet / "config.json"));
  for (const char* key : {"_class_name", "_diffusers_version"}) network.erase(key);
  network["type"] = "unet2d";
  const Json config{{"model", {{"type", "diffusion"}, {"network", network}}},
                    {"data", {{"type", "shapes"}, {"size", 16}, {"num_examples", 32}, {"num_held_out", 0}}},
                    {"train", {{"steps", 1}, {"batch_size", 2}, {"sample_count", 0}, {"keep_last", 2}}}};
  write_text(folder / "c.json", config.dump());
  const auto trained = run_gen(
      {"train", "--config", folder / "c.json", "--run-dir", folder / "run", "--init-from", unet, "--quiet"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const TensorMap theirs = read_safetensors(unet / "diffusion_pytorch_model.safetensors");
  const TensorMap first = read_safetensors(folder / "run/checkpoints/step_00000000/model.safetensors"),
                  second = read_safetensors(folder / "run/checkpoints/step_00000001/model.safetensors");
  EXPECT_EQ(first.size(), theirs.size());
  bool moved = false;
  for (const auto& [name, tensor] : theirs) {
    EXPECT_TRUE(at::equal(first.at(name), tensor)) << name;
    moved |= !at::equal(second.at(name), tensor);
  }
  EXPECT_TRUE(moved);
  const Json origin = Json::parse(read_text(folder / "run/run.json"))["init_from"];
  EXPECT_EQ(origin["kind"], "network folder");
  EXPECT_EQ(origin["xxh64"], hash_file(unet / "diffusion_pytorch_model.safetensors"));
}

}  // namespace
}  // namespace gen::test
