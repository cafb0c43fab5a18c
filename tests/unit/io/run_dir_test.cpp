#include "gen/io/run_dir.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/metrics_log.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
using test::read_text;
using test::write_text;

std::string open_refusal(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(RunDir, CreateMakesTheFolders) {
  const test::TempDir folder;
  const auto run = RunDir::open_for_training(folder / "runs/a", RunMode::create);
  EXPECT_EQ(run.status(), "running");
  EXPECT_TRUE(fs::is_directory(run.samples()) && fs::is_directory(run.checkpoints()) &&
              fs::is_directory(run.eval()));
  run.set_status("failed: loss");
  EXPECT_EQ(RunDir::open_for_training(folder / "runs/b", RunMode::create).status(), "running");
  EXPECT_EQ(run.status(), "failed: loss");
}

TEST(RunDir, CreateRefusesAFolderThatHoldsAnything) {
  const test::TempDir folder;
  write_text(folder / "x", "");
  const auto says = open_refusal([&] { RunDir::open_for_training(folder.path(), RunMode::create); });
  EXPECT_NE(says.find("--resume"), std::string::npos) << says;
  EXPECT_NE(says.find("--overwrite"), std::string::npos) << says;
  EXPECT_NE(
      open_refusal([&] { RunDir::open_for_training(folder / "x", RunMode::create); }).find("got a file"),
      std::string::npos);
}

TEST(RunDir, CreateTakesOverARunThatNeverBegan) {
  const test::TempDir folder;
  RunDir::open_for_training(folder / "run", RunMode::create).set_status("failed: no data");
  write_text(folder / "run/notes.txt", "mine");
  const auto run = RunDir::open_for_training(folder / "run", RunMode::create);
  EXPECT_EQ(run.status(), "running");
  EXPECT_TRUE(fs::exists(folder / "run/notes.txt"));
}

TEST(RunDir, ResumeNeedsAConfig) {
  const test::TempDir folder;
  EXPECT_NE(
      open_refusal([&] { RunDir::open_for_training(folder / "r", RunMode::resume); }).find("nothing there"),
      std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "r"));
  {
    RunDir::open_for_training(folder / "r", RunMode::create);
  }
  EXPECT_NE(open_refusal([&] {
              RunDir::open_for_training(folder / "r", RunMode::resume);
            }).find("config.json is missing"),
            std::string::npos);
  write_json(folder / "r" / "config.json", Json::object());
  EXPECT_EQ(open_refusal([&] { RunDir::open_for_training(folder / "r", RunMode::resume); }), "");
}

TEST(RunDir, OverwriteRemovesOnlyWhatARunMakes) {
  const test::TempDir folder;
  {
    RunDir::open_for_training(folder.path(), RunMode::create);
  }
  const std::vector<std::string> made = {"config.json",       "run.json",     "train.log",
                                         "metrics.jsonl",     "summary.json", "events.out.tfevents.1.host",
                                         "samples/step_1.png"};
  for (const auto& name : made) write_text(folder / name, "x");
  write_text(folder / "notes.txt", "mine");
  const auto run = RunDir::open_for_training(folder.path(), RunMode::overwrite);
  for (const auto& name : made) EXPECT_FALSE(fs::exists(folder / name)) << name;
  EXPECT_EQ(read_text(folder / "notes.txt"), "mine");
  EXPECT_EQ(run.status(), "running");
}

TEST(RunDir, OverwriteRefusesAFolderThatIsNoRun) {
  const test::TempDir folder;
  write_text(folder / "config.json", "{}");  // a model's folder has one too
  const auto says = open_refusal([&] { RunDir::open_for_training(folder.path(), RunMode::overwrite); });
  EXPECT_NE(says.find("not a run's folder"), std::string::npos) << says;
  EXPECT_TRUE(fs::exists(folder / "config.json"));
  EXPECT_FALSE(fs::exists(folder / ".lock"));
}

TEST(RunDir, InUseByAnotherProcessIsRefused) {
  const test::TempDir folder;
  auto run = std::make_unique<RunDir>(RunDir::open_for_training(folder / "r", RunMode::create));
  write_json(run->config(), Json::object());
  const auto resume = [&] { RunDir::open_for_training(folder / "r", RunMode::resume); };
  const auto says = open_refusal(resume);
  EXPECT_NE(says.find("in use by another process, number " + std::to_string(getpid())), std::string::npos)
      << says;
  EXPECT_NE(open_refusal([&] { RunDir::open_for_training(folder / "r", RunMode::overwrite); }).find("in use"),
            std::string::npos);
  EXPECT_TRUE(fs::exists(folder / "r" / "config.json"));
  EXPECT_EQ(open_refusal([&] { RunDir::open_existing(folder / "r"); }), "");  // reading is free
  EXPECT_TRUE(RunDir::open_existing(folder / "r").in_use());
  run.reset();
  EXPECT_FALSE(RunDir::open_existing(folder / "r").in_use());
  EXPECT_EQ(open_refusal(resume), "");
}

TEST(RunDir, LockEndsWithItsProcess) {
  const test::TempDir folder;
  const int code = test::in_child([&] {
    const auto run = RunDir::open_for_training(folder / "r", RunMode::create);
    write_json(run.config(), Json::object());
    return 137;  // _exit follows at once
  });
  EXPECT_EQ(code, 137);
  EXPECT_EQ(open_refusal([&] { RunDir::open_for_training(folder / "r", RunMode::resume); }), "");
}

TEST(RunDir, OpenExistingNamesTheNearestRun) {
  const test::TempDir folder;
  fs::create_directories(folder / "vae-mnist");
  write_text(folder / "vae-mnist" / "config.json", "{}");
  const auto says = open_refusal([&] { RunDir::open_existing(folder / "vae-mnits"); });
  EXPECT_NE(says.find("did you mean \"vae-mnist\"?"), std::string::npos) << says;
  EXPECT_NE(open_refusal([&] { RunDir::open_existing(folder.path()); }).find("config.json is missing"),
            std::string::npos);
}

TEST(RunDir, UnwritablePlaceIsAnIoError) {
  EXPECT_THROW(RunDir::open_for_training("/proc/gen-test/r", RunMode::create), IoError);
}

TEST(MetricsLog, ResumeDropsLaterAndTornLines) {
  const test::TempDir folder;
  const auto path = folder / "metrics.jsonl";
  {
    MetricsLog log(path, 0);
    for (int step : {1, 2, 3}) log.append({{"step", step}, {"loss", 0.5 * step}});
  }
  const auto whole = read_text(path);
  write_text(path, whole + "{\"step\": 4, \"lo");
  {
    MetricsLog(path, 9);
  }
  EXPECT_EQ(read_text(path), whole);
  {
    MetricsLog log(path, 2);
    log.append({{"step", 3}, {"loss", 1.5}});
  }
  EXPECT_EQ(read_text(path), whole);
}

TEST(MetricsLog, WritesNonFiniteNumbersAsWords) {
  const test::TempDir folder;
  MetricsLog log(folder / "m", 0);
  log.append({{"step", 1}, {"a", std::nan("")}, {"b", -HUGE_VAL}, {"c", {{"d", HUGE_VAL}}}});
  EXPECT_EQ(read_text(folder / "m"), "{\"step\":1,\"a\":\"nan\",\"b\":\"-inf\",\"c\":{\"d\":\"inf\"}}\n");
}

TEST(MetricsLog, FullDiskIsAnIoErrorAndTearsNoLine) {
  const test::TempDir folder;
  const int code = test::in_child([&] {
    MetricsLog log(folder / "m", 0);
    const rlimit limit{100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      for (int step = 0; step < 100; ++step) log.append({{"step", step}});
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
    return 0;
  });
  EXPECT_EQ(code, 6);
  const auto text = read_text(folder / "m");
  EXPECT_GT(text.size(), 50U);
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace gen
