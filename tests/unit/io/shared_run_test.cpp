// Several processes in one run's folder, and one that gives it up again.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <nlohmann/json.hpp>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "gen/io/folder_lock.h"
#include "gen/io/json_file.h"
#include "gen/io/made_list.h"
#include "gen/io/run_dir.h"
#include "support/refused_calls.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
using test::read_text;
using test::write_text;

template <class Thrown>
std::string shared_run_refusal(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const Thrown& error) {
    return error.what();
  }
}

RunDir created(const fs::path& folder) { return RunDir::open_for_training(folder, RunMode::create); }

TEST(FolderLock, IsOneProcesssAndLeavesNothing) {
  const test::TempDir folder;
  const auto lock = [&] { FolderLock(folder.path(), "try later"); };
  {
    const FolderLock held(folder.path(), "");
    EXPECT_EQ(shared_run_refusal<ConfigError>(lock),
              folder.path().string() + ": another process writes into this folder (try later)");
  }
  EXPECT_EQ(shared_run_refusal<ConfigError>(lock), "");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(RunDir, IsNotOverwrittenUnderADraw) {
  const test::TempDir folder;
  created(folder / "r");
  const FolderLock drawn(folder / "r/samples", "");
  const auto says =
      shared_run_refusal<ConfigError>([&] { RunDir::open_for_training(folder / "r", RunMode::overwrite); });
  EXPECT_NE(says.find("wait for that gen sample"), std::string::npos) << says;
  EXPECT_TRUE(fs::exists(folder / "r/STATUS"));
}

TEST(RunDir, ScoresThatAnotherProcessMadeAreItsOwn) {
  const test::TempDir folder;
  const auto training = created(folder / "r");
  write_json(training.config(), Json::object());
  const auto one = RunDir::open_existing(folder / "r"), two = RunDir::open_existing(folder / "r");
  for (const auto* each : {&one, &two}) {
    each->claim(each->eval() / "test.json");
    write_text(each->eval() / "test.json", "{}");
  }
  write_text(one.eval() / "mine.json", "{}");
  EXPECT_THROW(one.claim(one.eval() / "mine.json"), IoError);
}

void save_and_prune(MadeList& made, int first, int last) {
  const auto name = [](int step) { return checkpoint_path("checkpoints", step).string(); };
  for (int step = first; step < last; ++step) {
    made.add({name(step)});
    made.finish(name(step));
    made.drop(name(step - 1));
  }
}

TEST(MadeList, StaysShortOverThousandsOfSaves) {
  const test::TempDir folder;
  MadeList made(folder.path());
  made.begin();
  made.add({"STATUS", "samples/step_00000001.png"});
  save_and_prune(made, 0, 3000);
  EXPECT_LT(fs::file_size(folder / "made.txt"), 60000U);
  const MadeList read(folder.path());
  EXPECT_EQ(read.names(),
            (std::set<std::string>{"STATUS", "checkpoints/step_00002999", "samples/step_00000001.png"}));
  EXPECT_EQ(read.names(), made.names());
  EXPECT_EQ(read.newest_step(), 2999);
  made.drop("checkpoints/step_00002999");
  save_and_prune(made, 10, 900);  // shortened again
  EXPECT_EQ(MadeList(folder.path()).newest_step(), 2999) << "a resume knows what is lost";
}

TEST(MadeList, AKillWhileItIsShortenedLosesNoLine) {
  int code = 137;
  for (int points = 0; code != 0; ++points) {
    const test::TempDir folder;
    {
      MadeList made(folder.path());
      made.begin();
      made.add({"STATUS"});
      save_and_prune(made, 0, 330);
    }
    code = test::in_child([&] {
      MadeList made(folder.path());
      set_fault_hook([n = points](const char*) mutable {
        if (n-- == 0) _exit(137);
      });
      save_and_prune(made, 330, 340);
      return 0;
    });
    ASSERT_TRUE(code == 0 || code == 137) << code;
    MadeList made(folder.path());
    EXPECT_TRUE(made.lists("STATUS")) << points;
    EXPECT_GE(made.newest_step(), 329) << points;
    EXPECT_LE(made.names().size(), 3U) << points;
    ASSERT_LT(points, 100);
  }
}

TEST(MadeList, LinesOfAnotherProcessOutliveTheShortening) {
  const test::TempDir folder;
  MadeList made(folder.path());
  made.begin();
  const auto picture = [](int i) { return fmt::format("samples/{:05}.png", i); };
  const pid_t sampler = fork();
  if (sampler == 0) {
    MadeList other(folder.path());
    for (int i = 0; i < 2000; ++i) other.add({picture(i)});
    _exit(0);
  }
  save_and_prune(made, 0, 3000);
  int status = 0;
  waitpid(sampler, &status, 0);
  save_and_prune(made, 3000, 8000);
  const MadeList read(folder.path());
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(read.lists(picture(i))) << i;
  EXPECT_EQ(read.names().size(), 2001U);
}

TEST(RunDir, AnAttemptThatIsWithdrawnLeavesNothing) {
  const test::TempDir folder;
  {
    const auto run = created(folder / "runs/deep/a");
    run.claim(run.log());
    write_text(run.log(), "refused");
    run.withdraw();
    EXPECT_FALSE(run.in_place());
  }
  EXPECT_TRUE(fs::is_empty(folder.path())) << "nor the folders that were made around it";
  const auto neighbour = created(folder / "runs/b");
  created(folder / "runs/c").withdraw();
  EXPECT_TRUE(fs::exists(neighbour.path() / "STATUS"));
  EXPECT_FALSE(fs::exists(folder / "runs/c"));
}

TEST(RunDir, NothingOfOthersIsWithdrawn) {
  const test::TempDir folder;
  fs::create_directory(folder / "theirs");
  created(folder / "theirs").withdraw();
  EXPECT_TRUE(fs::exists(folder / "theirs/STATUS")) << "the folder was there before";
  for (const char* file : {"notes.txt", "samples/mine.png", "config.json"}) {
    const auto run = created(folder / "run");
    write_text(run.path() / file, "x");
    run.withdraw();
    EXPECT_TRUE(fs::exists(folder / "run/STATUS")) << file;
    EXPECT_EQ(read_text(run.path() / file), "x");
    fs::remove_all(folder / "run");
  }
}

TEST(RunDir, AKillWhileAnAttemptIsWithdrawnLeavesAFolderThatTheSameCommandTakes) {
  int code = 137;
  for (int points = 0; code != 0; ++points) {
    const test::TempDir folder;
    code = test::in_child([&] {
      const auto run = created(folder / "r");
      set_fault_hook([n = points](const char*) mutable {
        if (n-- == 0) _exit(137);
      });
      run.withdraw();
      return 0;
    });
    ASSERT_TRUE(code == 0 || code == 137) << code;
    EXPECT_EQ(shared_run_refusal<Error>([&] { created(folder / "r"); }), "") << points;
    ASSERT_LT(points, 20);
  }
}

TEST(RunDir, AFileSystemWithoutLocksIsToldAndUsed) {
  const test::TempDir folder;
  const int code = test::in_child([&] {
    if (!test::refuse_system_call(SYS_flock, ENOLCK)) return 2;
    const auto run = created(folder / "r");
    write_json(run.config(), Json::object());
    const FolderLock drawn(run.samples(), "");
    return RunDir::open_existing(folder / "r").in_use() ? 0 : 1;  // by the number of the process
  });
  if (code == 2) GTEST_SKIP() << "needs a system that filters calls";
  EXPECT_EQ(code, 0);
  EXPECT_EQ(read_text(folder / "r/STATUS"), "running\n");
}

TEST(AtomicFile, ADiskThatFailsKeepsTheOldFileAndSaysWhatToDo) {
  const test::TempDir folder;
  write_text(folder / "f", "old");
  const int code = test::in_child([&] {
    if (!test::refuse_system_call(SYS_fsync, EIO)) return 2;
    const auto says = shared_run_refusal<IoError>([&] { write_file_atomically(folder / "f", "new"); });
    return says.find("Input/output error (the disk or the network file system fails") != says.npos ? 0 : 1;
  });
  if (code == 2) GTEST_SKIP() << "needs a system that filters calls";
  EXPECT_EQ(code, 0);
  EXPECT_EQ(read_text(folder / "f"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace gen
