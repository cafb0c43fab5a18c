// gen forward against diffusers' own outputs.
#include <nlohmann/json.hpp>

#include "gen/io/safetensors.h"
#include "gen_command.h"

namespace gen::test {
namespace {

class Forward : public testing::TestWithParam<const char*> {};

TEST_P(Forward, GivesWhatDiffusersGives) {
  const auto folder = GEN_SHARED_OR_SKIP(std::string("reference/") + GetParam());
  const TempDir temp;
  const Json report = json_of({"forward", folder.string(), "--in", folder / "io.safetensors", "--out",
                               temp / "out.safetensors", "--json"});
  const auto expected = read_safetensors(folder / "io.safetensors").at("out");
  const auto given = read_safetensors(temp / "out.safetensors").at("out");
  EXPECT_LT(max_abs_diff(given, expected), 1e-4);
  EXPECT_NEAR(report["outputs"]["out"]["max_abs_diff"].get<double>(), max_abs_diff(given, expected), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Reference, Forward, testing::Values("unet2d", "unet2d_class"));

TEST(ForwardMistakes, AFolderWithoutAModelIsRefused) {
  const TempDir temp;
  write_safetensors(temp / "in.safetensors", {{"sample", at::zeros({1})}});
  const auto result =
      run_gen({"forward", temp.path(), "--in", temp / "in.safetensors", "--out", temp / "out.safetensors"});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_FALSE(std::filesystem::exists(temp / "out.safetensors"));
}

TEST(ForwardMistakes, AFileOfWeightsIsToldInAFewNames) {
  const TempDir temp;
  TensorMap weights;
  for (int i = 0; i < 100; ++i) weights[fmt::format("layers.{:02}.weight", i)] = at::zeros({1});
  write_safetensors(temp / "in.safetensors", weights);
  write_text(temp / "config.json",
             R"({"model": {"type": "diffusion", "network": {"type": "mlp"}}, "data": {"type": "toy2d"},
    "train": {"steps": 1, "batch_size": 4, "sample_count": 0}})");
  ASSERT_EQ(
      run_gen({"train", "--config", temp / "config.json", "--run-dir", temp / "run", "--quiet"}).exit_code,
      0);
  const auto result =
      run_gen({"forward", temp / "run", "--in", temp / "in.safetensors", "--out", temp / "out.safetensors"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.err.find("layers.04.weight, ... (100 in all)"), std::string::npos) << result.err;
}

TEST(ForwardMistakes, LabelsThatTheNetworkDoesNotTakeAreRefused) {
  const auto folder = GEN_SHARED_OR_SKIP("reference/unet2d");
  const TempDir temp;
  auto inputs = read_safetensors(folder / "io.safetensors");
  inputs["class_labels"] = at::zeros({inputs.at("sample").size(0)}, at::kLong);
  write_safetensors(temp / "in.safetensors", inputs);
  const auto result =
      run_gen({"forward", folder, "--in", temp / "in.safetensors", "--out", temp / "out.safetensors"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(result.err.starts_with(
      fmt::format("error: {}: unet2d: expected no class_labels", (temp / "in.safetensors").string())))
      << result.err;
}

}  // namespace
}  // namespace gen::test
