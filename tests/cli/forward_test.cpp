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

}  // namespace
}  // namespace gen::test
