// The real binary under OpenMP's limits, which a process reads once. Each of them gives fewer threads than are asked for.
#include <gtest/gtest.h>

#include "support/support.h"

namespace gen {
namespace {

constexpr const char* kThreadsConfig = R"({
  "model": {"type": "diffusion", "network": {"type": "unet2d", "block_out_channels": [8, 16],
      "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
      "layers_per_block": 1, "norm_num_groups": 4}},
  "data": {"type": "shapes", "size": 16},
  "train": {"steps": 2, "batch_size": 16, "sample_count": 4, "data_workers": 0},
  "sample": {"sampler": {"type": "ddim", "steps": 2}}})";

/// The weights that training leaves and the picture that it draws.
std::string trained_with(const std::vector<std::string>& env, const test::TempDir& folder) {
  const auto config = folder / "c.json", run = folder / "run";
  test::write_text(config, kThreadsConfig);
  const auto result = test::run_command({test::gen_binary().string(), "train", "--config", config.string(),
                                         "--run-dir", run.string(), "--quiet", "--overwrite"},
                                        env);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return test::read_text(run / "checkpoints/step_00000002/model.safetensors") +
         test::read_text(run / "samples/step_00000002.png");
}

TEST(Threads, NoLimitOfOpenMpChangesABitOrStopsAStep) {
  const test::TempDir folder;
  const std::string expected = trained_with({"OMP_NUM_THREADS=2"}, folder);
  const std::vector<std::vector<std::string>> limits{{"OMP_NUM_THREADS=1"},
                                                     {"OMP_NUM_THREADS=3"},
                                                     {"OMP_NUM_THREADS=2", "OMP_THREAD_LIMIT=1"},
                                                     {"OMP_NUM_THREADS=3", "OMP_DYNAMIC=true"},
                                                     {"OMP_NUM_THREADS=2", "OMP_MAX_ACTIVE_LEVELS=0"}};
  for (const auto& limit : limits)
    EXPECT_TRUE(trained_with(limit, folder) == expected) << limit.front() << " " << limit.back();
}

TEST(Threads, SettingsThatOpenMpCannotUseAreToldInOurWords) {
  for (const char* setting : {"OMP_NUM_THREADS=abc", "OMP_NUM_THREADS=0", "OMP_NUM_THREADS=2,",
                              "OMP_THREAD_LIMIT=-1", "OMP_STACKSIZE=1", "GOMP_STACKSIZE=4T"}) {
    const auto result = test::run_command({test::gen_binary().string(), "list"}, {setting});
    const std::string name(setting, std::string_view(setting).find('='));
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_TRUE(result.err.starts_with("warning: " + name + ": expected ") &&
                result.err.ends_with("; not used\n"))
        << setting << ": " << result.err;
  }
  EXPECT_EQ(test::run_command({test::gen_binary().string(), "list"}, {"OMP_NUM_THREADS= 2 ,1"}).err, "");
}

TEST(Threads, AStackThatNoThreadCanHaveLeavesOneThread) {
  const test::TempDir folder;
  test::write_text(folder / "c.json", kThreadsConfig);
  const auto result = test::run_command({test::gen_binary().string(), "train", "--dry-run", "--quiet",
                                         "--config", (folder / "c.json").string()},
                                        {"OMP_NUM_THREADS=2", "OMP_STACKSIZE=1000000G"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace gen
