// What the verbs do with a run's folder that something happened to.
#include <nlohmann/json.hpp>

#include "gen/io/folder_lock.h"
#include "gen_command.h"

namespace gen::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSmallRun = R"({
  "model": {"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [8]}},
  "data": {"type": "shapes", "size": 8, "channels": 1, "num_examples": 64, "num_held_out": 16},
  "train": {"steps": 6, "batch_size": 8, "sample_count": 0, "ema": {"decay": 0.9}, "checkpoint_every": 2,
            "validate_every": 2, "keep_last": 2}
})";

// One trained run; each test works on a copy of its own, in a folder whose name a shell would tear.
class RunFolderCli : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    trained = std::make_unique<TempDir>();
    write_text(*trained / "small.json", kSmallRun);
    const auto result =
        run_gen({"train", "--config", *trained / "small.json", "--run-dir", *trained / "run", "--quiet"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  static void TearDownTestSuite() { trained.reset(); }
  void SetUp() override { fs::copy(*trained / "run", run(), fs::copy_options::recursive); }

  fs::path run() const { return temp / "my run"; }
  CommandResult gen(std::vector<std::string> arguments) const {
    arguments.push_back("--quiet");
    return run_gen(arguments);
  }
  CommandResult resume(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", "--run-dir", run(), "--resume"});
    return gen(more);
  }

  static std::unique_ptr<TempDir> trained;
  TempDir temp;
};
std::unique_ptr<TempDir> RunFolderCli::trained;

TEST_F(RunFolderCli, WeightsAloneAreEnoughToSampleAndToScore) {
  for (const auto& step : fs::directory_iterator(run() / "checkpoints"))
    fs::remove(step.path() / "optimizer.safetensors");
  const std::string metrics = read_text(run() / "metrics.jsonl");
  EXPECT_EQ(gen({"sample", "--run", run(), "--count", "2"}).exit_code, 0);
  EXPECT_EQ(gen({"eval", "--run", run(), "--limit", "2"}).exit_code, 0);
  const auto findings = json_of({"inspect", run(), "--json"});
  EXPECT_EQ(findings["checkpoints"][0]["serves"], "sampling") << findings;
  const auto refused = resume({"--set", "train.steps=8"});
  EXPECT_EQ(refused.exit_code, 3) << refused.err;
  EXPECT_NE(refused.err.find("optimizer.safetensors is missing"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--init-from"), std::string::npos) << refused.err;
  EXPECT_EQ(read_text(run() / "metrics.jsonl"), metrics);
}

TEST_F(RunFolderCli, TheCheckpointIsTheLastTheBestOrAStep) {
  const auto best = json_of({"inspect", run(), "--json"})["best_step"].get<int64_t>();
  const auto step_of = [&](const std::string& which) {
    return json_of({"sample", "--run", run(), "--count", "1", "--out", temp / "out", "--json", "--checkpoint",
                    which, "--quiet"})["checkpoint_step"]
        .get<int64_t>();
  };
  EXPECT_EQ(step_of("last"), 6);
  EXPECT_EQ(step_of("best"), best);
  EXPECT_EQ(step_of("4"), 4);
  const auto none = gen({"eval", "--run", run(), "--checkpoint", "5"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_NE(none.err.find("no checkpoint of step 5; there are: 6, 4"), std::string::npos) << none.err;
  EXPECT_EQ(gen({"eval", "--run", run(), "--checkpoint", "newest"}).exit_code, 2);
  EXPECT_EQ(gen({"eval", "--run", run(), "--limit", "2", "--checkpoint", "4"}).exit_code, 0);
  bool kept_apart = false;
  for (const auto& file : fs::directory_iterator(run() / "eval"))
    kept_apart |= file.path().filename().string().find("step-4") != std::string::npos;
  EXPECT_TRUE(kept_apart) << "another checkpoint's scores have a file of their own";
  EXPECT_EQ(json_of({"inspect", run(), "--checkpoint", "best", "--json"})["step"], best);
}

// The command that a message names, pasted into a shell.
CommandResult paste(const std::string& message) {
  const auto begin = message.find("    gen train");
  if (begin == std::string::npos) return {-1, "", "no command in: " + message};
  std::string line = message.substr(begin + 4, message.find('\n', begin) - begin - 4);
  return run_command({"bash", "-c", gen_binary().string() + line.substr(3) + " --quiet"},
                     {"OMP_NUM_THREADS=1"});
}

TEST_F(RunFolderCli, ARefusedResumeNamesACommandThatWorks) {
  const auto refused = resume({"--set", "train.batch_size=4", "--set", "train.optimizer.type=sgd", "--set",
                               "train.ema.decay=null", "--set", "train.steps=8"});
  ASSERT_EQ(refused.exit_code, 2) << refused.err;
  const auto pasted = paste(refused.err);
  ASSERT_EQ(pasted.exit_code, 0) << pasted.err << refused.err;
  const Json record = Json::parse(read_text(temp / "my run-tuned/run.json"));
  EXPECT_EQ(record["init_from"]["source"], run().string());
  EXPECT_EQ(record["config"]["train"]["batch_size"], 4);
  EXPECT_EQ(record["config"]["train"]["optimizer"]["type"], "sgd");
  EXPECT_EQ(record["config"]["train"]["steps"], 8);
}

TEST_F(RunFolderCli, AnEditedConfigDrawsNothing) {
  Json config = Json::parse(read_text(run() / "config.json"));
  config["model"]["latent_dim"] = 3;
  write_text(run() / "config.json", config.dump());
  for (const char* verb : {"sample", "eval"}) {
    const auto refused = gen({verb, "--run", run()});
    EXPECT_EQ(refused.exit_code, 2) << refused.err;
    EXPECT_NE(refused.err.find("/model/latent_dim: the run has 2, the file now says 3"), std::string::npos)
        << refused.err;
  }
}

TEST_F(RunFolderCli, ALostConfigComesBackAndLosesNothing) {
  const std::string config = read_text(run() / "config.json");
  fs::remove(run() / "config.json");
  const auto plain = gen({"train", "--config", *trained / "small.json", "--run-dir", run()});
  EXPECT_EQ(plain.exit_code, 2) << plain.err;
  EXPECT_TRUE(fs::exists(run() / "checkpoints/step_00000006/manifest.json"));
  EXPECT_EQ(resume().exit_code, 0);
  EXPECT_EQ(read_text(run() / "config.json"), config);
}

TEST_F(RunFolderCli, ADanglingCheckpointsFolderIsToldInWords) {
  fs::remove_all(run() / "checkpoints");
  fs::create_directory_symlink("/nowhere/checkpoints", run() / "checkpoints");
  for (const auto& result : {resume(), gen({"sample", "--run", run()})}) {
    EXPECT_NE(result.exit_code, 0);
    EXPECT_NE(result.err.find("a link to /nowhere/checkpoints, which is not there"), std::string::npos)
        << result.err;
  }
}

TEST_F(RunFolderCli, ALinkInTheRunIsRefusedBeforeAnythingIsDone) {
  const std::string config = read_text(run() / "config.json");
  fs::rename(run() / "STATUS", temp / "elsewhere");
  fs::create_symlink(temp / "elsewhere", run() / "STATUS");
  const auto refused = resume({"--set", "train.steps=8"});
  EXPECT_EQ(refused.exit_code, 6) << refused.err;
  EXPECT_EQ(read_text(temp / "elsewhere"), "done\n");
  EXPECT_EQ(read_text(run() / "config.json"), config);
}

TEST_F(RunFolderCli, ASecondDrawIntoTheSameFolderIsRefused) {
  const FolderLock drawn(run() / "samples", "");
  const auto refused = gen({"sample", "--run", run(), "--count", "2"});
  EXPECT_EQ(refused.exit_code, 2) << refused.err;
  EXPECT_NE(refused.err.find(
                "another process writes into this folder (wait for that gen sample or stop it, or choose "
                "another with --out)"),
            std::string::npos)
      << refused.err;
  EXPECT_FALSE(fs::exists(run() / "samples/sample.json"));
}

TEST_F(RunFolderCli, ATrainingThatIsRefusedLeavesNothing) {
  const auto train = [&](const fs::path& folder) {
    return gen({"train", "--config", *trained / "small.json", "--run-dir", folder, "--set",
                fmt::format(R"(data={{"type": "image_folder", "path": "{}"}})", (temp / "none").string())});
  };
  fs::create_directory(temp / "none");
  const auto refused = train(temp / "runs/new");
  EXPECT_EQ(refused.exit_code, 3) << refused.err;
  EXPECT_NE(refused.err.find("none"), std::string::npos) << refused.err;
  EXPECT_FALSE(fs::exists(temp / "runs"));
  fs::create_directory(temp / "theirs");
  EXPECT_EQ(train(temp / "theirs").exit_code, 3);
  EXPECT_NE(read_text(temp / "theirs/STATUS").find("failed: "), std::string::npos);
}

TEST_F(RunFolderCli, AnOverwriteTakesNothingThatGenDidNotMake) {
  write_text(run() / "samples/mine.txt", "mine");
  fs::create_directory(temp / "stranger");
  write_text(temp / "stranger/STATUS", "mine");
  const auto overwrite = [&](const fs::path& folder) {
    return gen({"train", "--config", *trained / "small.json", "--run-dir", folder, "--overwrite"});
  };
  EXPECT_EQ(overwrite(run()).exit_code, 0);
  EXPECT_EQ(read_text(run() / "samples/mine.txt"), "mine");
  for (const auto& result : {overwrite(temp / "stranger"), gen({"train", "--config", *trained / "small.json",
                                                                "--run-dir", temp / "stranger"})})
    EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(read_text(temp / "stranger/STATUS"), "mine");
}

}  // namespace
}  // namespace gen::test
