// The real binary, killed, stopped and started again.
#include <gtest/gtest.h>
#include <signal.h>

#include "gen/io/checkpoint.h"
#include "process.h"
#include "support/support.h"

namespace gen {
namespace {

class ResumeCli : public ::testing::Test {
 protected:
  ResumeCli() {
    test::write_text(config(), R"({
      "model": {"type": "vae", "latent_dim": 4},
      "data": {"type": "shapes", "size": 8, "channels": 1, "num_examples": 200, "num_held_out": 16},
      "train": {"steps": 60, "batch_size": 8, "ema": {"decay": 0.9}, "checkpoint_every": 10, "log_every": 1,
                "sample_count": 0, "threads": 1}
    })");
  }
  std::filesystem::path config() const { return temp / "small.json"; }
  std::filesystem::path folder(const std::string& name) const { return temp / name; }
  std::vector<std::string> command(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{
        "train", "--config", config().string(), "--run-dir", folder(name).string(), "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  int run(const std::string& name, const std::vector<std::string>& more = {}) {
    return test::Process(command(name, more), temp / "log.txt").wait();
  }
  bool has_checkpoint(const std::string& name) const {
    return !list_checkpoints(folder(name) / "checkpoints").empty();
  }
  void expect_same_result(const std::string& a, const std::string& b) const {
    for (const char* file : {"model", "ema", "optimizer"}) {
      const std::string path = std::string("checkpoints/step_00000060/") + file + ".safetensors";
      ASSERT_TRUE(std::filesystem::exists(folder(a) / path)) << path;
      EXPECT_EQ(test::read_text(folder(a) / path), test::read_text(folder(b) / path)) << path;
    }
    EXPECT_EQ(test::read_text(folder(a) / "metrics.jsonl"), test::read_text(folder(b) / "metrics.jsonl"));
  }
  std::string log() const { return test::read_text(temp / "log.txt"); }

  test::TempDir temp;
};

TEST_F(ResumeCli, KilledRunsEndWithTheSameBytes) {
  ASSERT_EQ(run("whole"), 0) << log();
  {
    test::Process process(command("killed"), temp / "log.txt");
    ASSERT_TRUE(test::wait_until(process, [&] { return has_checkpoint("killed"); })) << log();
    process.send(SIGKILL);
    process.wait();
  }
  const auto inspected =
      test::run_command({test::gen_binary().string(), "inspect", folder("killed").string()});
  EXPECT_NE(inspected.out.find("status      killed"), std::string::npos) << inspected.out;
  ASSERT_EQ(run("killed", {"--resume"}), 0) << log();
  expect_same_result("whole", "killed");
}

TEST_F(ResumeCli, StoppedRunsExit75AndEndWithTheSameBytes) {
  ASSERT_EQ(run("whole"), 0) << log();
  const std::vector<std::string> slow{"--set", "train.steps=1000000"};
  {
    test::Process process(command("stopped", slow), temp / "log.txt");
    ASSERT_TRUE(test::wait_until(process, [&] { return has_checkpoint("stopped"); })) << log();
    process.send(SIGTERM);
    EXPECT_EQ(process.wait(), 75) << log();
    EXPECT_EQ(test::read_text(folder("stopped") / "STATUS"), "stopped\n");
  }
  // The constant rate does not depend on the number of steps, so the shorter run is a part of the longer one,
  // unless the machine was so fast that it is longer already.
  if (list_checkpoints(folder("stopped") / "checkpoints").front().step >= 60)
    GTEST_SKIP() << "stopped too late";
  ASSERT_EQ(run("stopped", {"--resume"}), 0) << log();
  expect_same_result("whole", "stopped");
}

TEST_F(ResumeCli, ASecondSignalLeavesAtOnceWithNothingBroken) {
  {
    test::Process process(command("run"), temp / "log.txt");
    ASSERT_TRUE(test::wait_until(process, [&] { return has_checkpoint("run"); })) << log();
    process.send(SIGTERM);
    process.send(SIGINT);
    EXPECT_EQ(process.wait(), 130) << log();
  }
  ASSERT_EQ(run("whole"), 0) << log();
  ASSERT_EQ(run("run", {"--resume"}), 0) << log();
  expect_same_result("whole", "run");
}

TEST_F(ResumeCli, AChangedModelIsRefusedNamingThePointer) {
  ASSERT_EQ(run("run", {"--set", "train.steps=2"}), 0) << log();
  const auto result = test::run_command([&] {
    auto arguments = command("run", {"--resume", "--set", "model.latent_dim=5"});
    arguments.insert(arguments.begin(), test::gen_binary().string());
    return arguments;
  }());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("/model/latent_dim: the run has 4, the config now says 5"), std::string::npos)
      << result.err;
  EXPECT_EQ(result.err.find("mistakes"), std::string::npos)
      << "one mistake over several lines: " << result.err;
  EXPECT_EQ(test::read_text(folder("run") / "STATUS"), "done\n") << "the run itself is as good as before";
}

TEST_F(ResumeCli, AFolderInUseIsRefused) {
  test::Process process(command("run", {"--set", "train.steps=1000000"}), temp / "log.txt");
  ASSERT_TRUE(test::wait_until(process, [&] { return has_checkpoint("run"); })) << log();
  EXPECT_EQ(run("run", {"--resume", "--set", "train.steps=1000000"}), 2);
  EXPECT_NE(log().find("in use"), std::string::npos) << log();
}

}  // namespace
}  // namespace gen
