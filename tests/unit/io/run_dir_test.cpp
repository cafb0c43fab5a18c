#include "gen/io/run_dir.h"

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
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

// A run as training leaves it: everything claimed before it is written.
void fill_run(const RunDir& run) {
  for (const auto& file : {run.config(), run.run(), run.metrics(), run.log(), run.summary(),
                           run.samples() / "step_1.png", run.path() / "events.out.tfevents.1.host"}) {
    run.claim(file);
    write_text(file, "x");
  }
  const auto checkpoint = checkpoint_path(run.checkpoints(), 7);
  run.claim(checkpoint);
  save_checkpoint(run.checkpoints(), 7, {}, Json::object());
}

std::set<std::string> run_paths(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    found.insert(entry.path().lexically_relative(folder).string());
  return found;
}

TEST(RunDir, OverwriteRemovesOnlyWhatTheRunListsAsMade) {
  const test::TempDir folder;
  fill_run(RunDir::open_for_training(folder.path(), RunMode::create));
  write_text(folder / "notes.txt", "mine");
  write_text(folder / "samples/favourite.png", "mine");
  {
    RunDir::open_for_training(folder.path(), RunMode::overwrite);
  }
  EXPECT_EQ(run_paths(folder.path()),
            (std::set<std::string>{".lock", "STATUS", "checkpoints", "eval", "made.txt", "notes.txt",
                                   "samples", "samples/favourite.png"}));
}

TEST(RunDir, OverwriteRefusesAFolderThatIsNoRun) {
  for (const char* name : {"config.json", "STATUS", "run.json"}) {
    const test::TempDir folder;
    write_text(folder / name, "mine");  // a model's folder has such files too
    const auto says = open_refusal([&] { RunDir::open_for_training(folder.path(), RunMode::overwrite); });
    EXPECT_NE(says.find("not a run's folder"), std::string::npos) << says;
    EXPECT_NE(open_refusal([&] { RunDir::open_for_training(folder.path(), RunMode::create); }), "");
    EXPECT_EQ(run_paths(folder.path()), (std::set<std::string>{name}));
  }
}

TEST(RunDir, OverwriteRefusesCheckpointsOfAnotherAndLinks) {
  const test::TempDir folder, other;
  fill_run(RunDir::open_for_training(folder / "r", RunMode::create));
  const auto overwrite = [&] {
    return open_refusal([&] { RunDir::open_for_training(folder / "r", RunMode::overwrite); });
  };
  save_checkpoint(folder / "r/checkpoints", 9, {}, Json::object());
  EXPECT_NE(overwrite().find("checkpoints/step_00000009 was not made"), std::string::npos) << overwrite();
  fs::remove_all(folder / "r/checkpoints/step_00000009");
  fs::rename(folder / "r/checkpoints", other / "c");
  fs::create_directory_symlink(other / "c", folder / "r/checkpoints");
  EXPECT_NE(overwrite().find("checkpoints/step_00000007"), std::string::npos) << overwrite();
  EXPECT_TRUE(fs::exists(other / "c/step_00000007/manifest.json"));
  EXPECT_TRUE(fs::exists(folder / "r/config.json")) << "a refusal changes nothing";
}

TEST(RunDir, ALostConfigIsNoReasonToEmptyTheFolder) {
  const test::TempDir folder;
  fill_run(RunDir::open_for_training(folder.path(), RunMode::create));
  fs::remove(folder / "config.json");
  const auto says = open_refusal([&] { RunDir::open_for_training(folder.path(), RunMode::create); });
  EXPECT_NE(says.find("lost its config.json"), std::string::npos) << says;
  EXPECT_TRUE(fs::exists(folder / "checkpoints/step_00000007/manifest.json"));
}

TEST(RunDir, NoFileIsWrittenThroughALink) {
  const test::TempDir folder;
  const auto run = RunDir::open_for_training(folder / "r", RunMode::create);
  write_text(folder / "elsewhere", "mine");
  for (const auto& file :
       {run.path() / "STATUS", run.metrics(), run.path() / "made.txt", run.path() / ".lock"}) {
    fs::remove(file);
    fs::create_symlink(folder / "elsewhere", file);
  }
  EXPECT_THROW(run.set_status("done"), IoError);
  EXPECT_THROW(run.claim(run.metrics()), IoError);
  EXPECT_THROW(run.claim(run.samples() / "a.png"), IoError);
  EXPECT_THROW(RunDir::open_for_training(folder / "r", RunMode::overwrite), IoError);
  EXPECT_EQ(read_text(folder / "elsewhere"), "mine");
}

TEST(RunDir, FoldersAndPipesInPlaceOfItsFilesAreTold) {
  const test::TempDir folder;
  const auto refused = [&](const char* name, auto make) {
    const fs::path file = folder / "r" / name;
    fs::rename(file, folder / "kept");
    make(file);
    for (const auto mode : {RunMode::resume, RunMode::overwrite})
      EXPECT_THROW(RunDir::open_for_training(folder / "r", mode), Error) << name;
    if (std::string(name) == "config.json") EXPECT_THROW(RunDir::open_existing(folder / "r"), ConfigError);
    fs::remove(file);
    fs::rename(folder / "kept", file);
  };
  fill_run(RunDir::open_for_training(folder / "r", RunMode::create));
  for (const char* name : {"STATUS", "config.json", "made.txt"}) {
    refused(name, [](const fs::path& file) { ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0); });
    refused(name, [](const fs::path& file) { fs::create_directory(file); });
  }
  EXPECT_NO_THROW(RunDir::open_for_training(folder / "r", RunMode::resume));
}

TEST(RunDir, AFileOfAnotherIsNotReplaced) {
  const test::TempDir folder;
  const auto run = RunDir::open_for_training(folder / "r", RunMode::create);
  write_text(run.summary(), "mine");
  EXPECT_THROW(run.claim(run.summary()), IoError);
  EXPECT_FALSE(run.made(run.summary()));
}

TEST(RunDir, AFolderThatGoesAwayIsNoticed) {
  const test::TempDir folder;
  const auto what = [](const RunDir& run) {
    try {
      run.set_status("done");
      return std::string();
    } catch (const RunFolderGone& gone) {
      return std::string(gone.what());
    }
  };
  const auto moved = RunDir::open_for_training(folder / "a", RunMode::create);
  fs::rename(folder / "a", folder / "b");
  EXPECT_NE(what(moved).find("moved to " + (folder / "b").string()), std::string::npos) << what(moved);
  fs::create_directory(folder / "a");
  EXPECT_NE(what(moved).find("another is in its place"), std::string::npos) << what(moved);
  const auto deleted = RunDir::open_for_training(folder / "c", RunMode::create);
  fs::remove_all(folder / "c");
  EXPECT_NE(what(deleted).find("deleted"), std::string::npos) << what(deleted);
  EXPECT_FALSE(fs::exists(folder / "c"));
}

TEST(RunDir, MayBeALinkAndHaveLinkedFolders) {
  const test::TempDir folder;
  fs::create_directory(folder / "big");
  fs::create_directory_symlink(folder / "big", folder / "r");
  const auto run = RunDir::open_for_training(folder / "r", RunMode::create);
  run.set_status("done");
  EXPECT_EQ(read_text(folder / "big/STATUS"), "done\n");
  fs::remove(folder / "big/eval");
  fs::create_directory_symlink("/nowhere/eval", folder / "big/eval");
  write_text(folder / "big/config.json", "{}");
  fs::remove(folder / "big/.lock");
  EXPECT_THROW(RunDir::open_for_training(folder / "r", RunMode::resume), IoError) << "dangling";
}

TEST(RunDir, LeftoversOfKilledProcessesGoAndNothingElse) {
  const test::TempDir folder;
  fill_run(RunDir::open_for_training(folder.path(), RunMode::create));
  for (const char* name : {".tmp-STATUS-999999999-0", "samples/.tmp-step_00000010.png-999999999-3",
                           ".tmp-mine", ".tmp-a-b-c", "eval/.tmp-test.json-1-0"})
    write_text(folder / name, "x");
  for (const char* name : {"checkpoints/.tmp-step_00000009-999999999",
                           "checkpoints/.tmp-step_00000001-pruned", "checkpoints/.tmp-step_00000002-pruned"})
    fs::create_directory(folder / name);
  write_text(folder / "checkpoints/.tmp-step_00000009-999999999/model.safetensors", "half");
  write_text(folder / "checkpoints/.tmp-step_00000002-pruned/notes.txt", "mine");
  RunDir::open_for_training(folder.path(), RunMode::resume);
  std::set<std::string> left;
  for (const auto& name : run_paths(folder.path()))
    if (name.find(".tmp-") != std::string::npos) left.insert(name);
  EXPECT_EQ(left, (std::set<std::string>{".tmp-mine", ".tmp-a-b-c", "checkpoints/.tmp-step_00000002-pruned",
                                         "checkpoints/.tmp-step_00000002-pruned/notes.txt",
                                         "eval/.tmp-test.json-1-0"}))
      << "process 1 lives";
}

TEST(RunDir, AKillAtAnyPointLeavesAFolderThatTheSameCommandTakes) {
  for (const RunMode mode : {RunMode::create, RunMode::overwrite})
    for (int points = 0, code = 137; code != 0; ++points) {
      const test::TempDir folder;
      if (mode == RunMode::overwrite) fill_run(RunDir::open_for_training(folder / "r", RunMode::create));
      code = test::in_child([&] {
        set_fault_hook([n = points](const char*) mutable {
          if (n-- == 0) _exit(137);
        });
        RunDir::open_for_training(folder / "r", mode);
        return 0;
      });
      ASSERT_TRUE(code == 0 || code == 137) << code;
      EXPECT_EQ(open_refusal([&] { RunDir::open_for_training(folder / "r", mode); }), "") << points;
      EXPECT_EQ(read_text(folder / "r/STATUS"), "running\n");
      EXPECT_FALSE(fs::exists(folder / "r/checkpoints/step_00000007"));
      for (const auto& name : run_paths(folder / "r"))
        EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
      ASSERT_LT(points, 200);
    }
}

TEST(MadeList, ATornLineIsNoEntry) {
  const test::TempDir folder;
  {
    MadeList made(folder.path());
    made.begin();
    made.add({"checkpoints/step_00000001"});
    made.add({"checkpoints/step_00000002"});
    made.drop("checkpoints/step_00000001");
    EXPECT_EQ(made.newest_step(), 1) << "a claim is no checkpoint yet";
    made.finish("checkpoints/step_00000002");
  }
  write_text(folder / "made.txt", read_text(folder / "made.txt") + "+ samples/half");
  MadeList(folder.path()).add({"STATUS"});
  const MadeList made(folder.path());
  EXPECT_EQ(made.names(), (std::set<std::string>{"STATUS", "checkpoints/step_00000002"}));
  EXPECT_EQ(made.newest_step(), 2);
}

TEST(MadeList, NamesThatGenNeverMakesDoNotCount) {
  const test::TempDir folder;
  write_text(
      folder / "made.txt",
      "+ /etc/passwd\n+ ../other\n+ samples/../../x\n+ notes.txt\n+ eval/a/b\n+ eval/.x\n+ run.json\n");
  EXPECT_EQ(MadeList(folder.path()).names(), (std::set<std::string>{"run.json"}));
}

TEST(RunDir, InUseByAnotherProcessIsRefused) {
  const test::TempDir folder;
  auto run = std::make_unique<RunDir>(RunDir::open_for_training(folder / "r", RunMode::create));
  run->claim(run->config());
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
