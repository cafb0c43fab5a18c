// What is drawn or scored is numbers, or exit 4 says which are none; never a black picture, never a null.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/gen_command.h"

namespace gen::test {
namespace {

constexpr const char* kSmallDiffusion = R"({
  "model": {"type": "diffusion", "network": {"type": "unet2d", "block_out_channels": [8],
      "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "layers_per_block": 1,
      "norm_num_groups": 4}, "noise_schedule": {"type": "linear"}},
  "data": {"type": "shapes", "size": 16},
  "train": {"steps": 1, "batch_size": 2, "sample_count": 0, "data_workers": 0},
  "sample": {"count": 2}, "eval": {"limit": 2}})";

class NonFiniteCli : public testing::Test {
 protected:
  NonFiniteCli() { write_text(folder_ / "c.json", kSmallDiffusion); }
  CommandResult train(std::vector<std::string> sets) const {
    std::vector<std::string> arguments{
        "train", "--config", (folder_ / "c.json").string(), "--run-dir", run(), "--quiet", "--overwrite"};
    for (const auto& set : sets) arguments.insert(arguments.end(), {"--set", set});
    return run_gen(arguments);
  }
  std::string run() const { return (folder_ / "run").string(); }
  CommandResult sample() const {
    return run_gen({"sample", "--run", run(), "--quiet", "--out", (folder_ / "out").string(), "--sampler",
                    "ddim", "--steps", "10"});
  }
  TempDir folder_;
};

TEST_F(NonFiniteCli, ScheduleOfStrongOrWeakNoiseGivesNumbers) {
  for (const char* set : {"model.noise_schedule.beta_end=0.5", "model.noise_schedule.beta_start=1e-9"}) {
    ASSERT_EQ(train({set}).exit_code, 0) << set;
    const auto drawn = sample();
    EXPECT_EQ(drawn.exit_code, 0) << set << drawn.err;
    const auto scores = json_of({"eval", "--run", run(), "--quiet", "--json"});
    for (const auto& result : scores["results"]) EXPECT_TRUE(result["value"].is_number()) << set << result;
  }
}

TEST_F(NonFiniteCli, BrokenWeightsAreToldWithExitCode4AndTrainingEndsWithoutItsPicture) {
  const auto trained = train({"train.optimizer.lr=1e30", "train.sample_count=4"});
  EXPECT_EQ(trained.exit_code, 4) << trained.err;
  EXPECT_EQ(read_text(folder_ / "run/STATUS"), "done\n");
  EXPECT_NE(trained.err.find("error: trained to step 1 and saved, with results that are no numbers: "),
            std::string::npos)
      << trained.err;
  EXPECT_NE(trained.err.find(
                "no sample grid at step 1: 4 of 4 samples are not finite, from step 1 of 50 (time 980) on: "
                "0, 1, 2, 3"),
            std::string::npos)
      << trained.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/samples/step_00000001.png"));

  const auto drawn = sample();
  EXPECT_EQ(drawn.exit_code, 4);
  EXPECT_NE(drawn.err.find("2 of 2 samples are not finite, from step 1 of 10 (time 900) on: 0, 1"),
            std::string::npos)
      << drawn.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/00000.png"));

  const auto scored = run_gen({"eval", "--run", run(), "--quiet", "--json"});
  EXPECT_EQ(scored.exit_code, 4);
  EXPECT_NE(scored.err.find("is not finite for 2 of 2 examples"), std::string::npos) << scored.err;
  EXPECT_EQ(scored.out.find("null"), std::string::npos) << scored.out;
  EXPECT_EQ(read_text(folder_ / "run/eval/test-2.json").find("null"), std::string::npos);
}

}  // namespace
}  // namespace gen::test
