#include "gen/io/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "damage.h"
#include "gen/core/error.h"
#include "gen/io/file.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
using test::in_child;
using test::read_text;
using test::write_text;

std::vector<TensorFile> files_of(double value, int64_t size = 10) {
  return {{"model",
           {{"w", torch::full({size}, value)}, {"steps", torch::tensor({int64_t{3}})}},
           {{"format", "pt"}}},
          {"ema", {{"w", torch::full({size}, value / 2)}}, {}}};
}

CheckpointInfo save(const fs::path& folder, int64_t step, double value) {
  return save_checkpoint(folder, step, files_of(value), {{"step", step}, {"value", value}});
}

double value_of(const CheckpointInfo& checkpoint) {
  const auto model = load_checkpoint_tensors(checkpoint, "model"),
             ema = load_checkpoint_tensors(checkpoint, "ema");
  const double value = load_checkpoint_state(checkpoint)["value"];
  EXPECT_TRUE(torch::equal(model.at("w"), torch::full({10}, value)));
  EXPECT_TRUE(torch::equal(ema.at("w"), torch::full({10}, value / 2)));
  return value;
}

std::vector<int64_t> steps_in(const fs::path& folder) {
  std::vector<int64_t> steps;
  for (const auto& each : list_checkpoints(folder)) steps.push_back(each.step);
  return steps;
}

bool has_temporaries(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().filename().string().starts_with(".tmp-")) return true;
  return false;
}

TEST(Checkpoint, ComesBackWhole) {
  const test::TempDir folder;
  const auto info = save(folder / "c", 1000, 1.5);
  EXPECT_EQ(info.folder, folder / "c" / "step_00001000");
  EXPECT_EQ(verify_checkpoint(info), "");
  EXPECT_EQ(value_of(info), 1.5);
  Metadata metadata;
  load_checkpoint_tensors(info, "model", &metadata);
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_TRUE(checkpoint_has(info, "ema"));
  EXPECT_FALSE(checkpoint_has(info, "optimizer"));
  EXPECT_FALSE(has_temporaries(folder.path()));
}

TEST(Checkpoint, ReplacesOneOfTheSameStep) {
  const test::TempDir folder;
  save(folder.path(), 5, 1);
  save(folder.path(), 5, 2);
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{5}));
  EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 2);
  EXPECT_FALSE(has_temporaries(folder.path()));
}

TEST(Checkpoint, ListIsNewestFirstAndKnowsOnlyItsNames) {
  const test::TempDir folder;
  for (int64_t step : {20, 100'000'000, 3}) save(folder.path(), step, 1);
  for (const char* name : {"step_7", "step_x", "other", ".tmp-step_00000009-1"})
    fs::create_directory(folder / name);
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{100'000'000, 20, 3}));
  EXPECT_TRUE(list_checkpoints(folder / "none").empty());
  EXPECT_FALSE(newest_valid_checkpoint(folder / "none").has_value());
}

TEST(Checkpoint, PruneKeepsTheNewestTheChosenAndNoTemporaries) {
  const test::TempDir folder;
  for (int64_t step : {1, 2, 3, 4, 5}) save(folder.path(), step, 1);
  fs::create_directory(folder / ".tmp-step_00000009-1");
  prune_checkpoints(folder.path(), 2, {1});
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{5, 4, 1}));
  EXPECT_FALSE(has_temporaries(folder.path()));
  EXPECT_THROW(prune_checkpoints(folder.path(), 0, {}), InternalError);
}

TEST(Checkpoint, FallsBackFromACorruptedOne) {
  const test::TempDir folder;
  save(folder.path(), 1, 1);
  for (const char* name : {"model.safetensors", "ema.safetensors", "state.json", "manifest.json"}) {
    const auto newest = save(folder.path(), 2, 2);
    auto bytes = read_text(newest.folder / name);
    bytes[bytes.size() / 2] ^= 0x10;
    write_text(newest.folder / name, bytes);
    EXPECT_NE(verify_checkpoint(newest), "") << name;
    EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 1) << name;

    save(folder.path(), 2, 2);
    fs::remove(newest.folder / name);
    EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 1) << name;
  }
}

TEST(Checkpoint, SaysThatItPassesOverACorruptedOne) {
  const test::TempDir folder;
  save(folder.path(), 1, 1);
  fs::remove(save(folder.path(), 2, 2).folder / "manifest.json");
  testing::internal::CaptureStderr();
  newest_valid_checkpoint(folder.path());
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("step_00000002: passed over: manifest.json is missing"), std::string::npos) << said;
}

// Kills a child at the n-th fault point of `work`, for every n, and calls `check` after each.
void kill_everywhere(const std::function<void()>& prepare, const std::function<void()>& work,
                     const std::function<void()>& check) {
  int points = 0;
  for (;; ++points) {
    prepare();
    const int code = in_child([&] {
      set_fault_hook([n = points](const char*) mutable {
        if (n-- == 0) _exit(137);
      });
      work();
      return 0;
    });
    check();
    if (code == 0) break;
    ASSERT_EQ(code, 137);
    ASSERT_LT(points, 500);
  }
  EXPECT_GT(points, 15);
}

TEST(Checkpoint, KilledAtAnyPointLeavesTheOldOrTheNew) {
  const test::TempDir folder;
  save(folder.path(), 1, 1);
  bool saw_old = false, saw_new = false;
  const auto files = files_of(2);
  kill_everywhere([&] { fs::remove_all(folder / "step_00000002"); },
                  [&] { save_checkpoint(folder.path(), 2, files, {{"step", 2}, {"value", 2}}); },
                  [&] {
                    const auto newest = newest_valid_checkpoint(folder.path());
                    ASSERT_TRUE(newest.has_value());
                    EXPECT_EQ(value_of(*newest), static_cast<double>(newest->step));
                    (newest->step == 1 ? saw_old : saw_new) = true;
                    // Never a listed checkpoint that does not verify.
                    for (const auto& each : list_checkpoints(folder.path()))
                      EXPECT_EQ(verify_checkpoint(each), "");
                  });
  EXPECT_TRUE(saw_old && saw_new);
  prune_checkpoints(folder.path(), 2, {});
  EXPECT_FALSE(has_temporaries(folder.path()));
}

TEST(Checkpoint, KilledWhileReplacingLeavesOneOfTheTwo) {
  const test::TempDir folder;
  const auto files = files_of(2);
  std::set<double> seen;
  kill_everywhere([&] { save(folder.path(), 1, 1); },
                  [&] { save_checkpoint(folder.path(), 1, files, {{"step", 1}, {"value", 2}}); },
                  [&] {
                    const auto newest = newest_valid_checkpoint(folder.path());
                    ASSERT_TRUE(newest.has_value());
                    seen.insert(value_of(*newest));
                  });
  EXPECT_EQ(seen, (std::set<double>{1, 2}));
}

TEST(Checkpoint, FullDiskIsAnIoErrorAndLosesNothing) {
  const test::TempDir folder;
  save(folder.path(), 1, 1);
  const auto files = files_of(2, 1 << 16);
  const int code = in_child([&] {
    const rlimit limit{1 << 16, 1 << 16};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save_checkpoint(folder.path(), 2, files, {});
    } catch (const Error& error) {
      return static_cast<int>(error.code());
    }
    return 0;
  });
  EXPECT_EQ(code, 6);
  EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 1);
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{1}));
  EXPECT_FALSE(has_temporaries(folder.path()));
}

TEST(Checkpoint, UnwritablePlaceIsAnIoError) {
  EXPECT_THROW(save("/proc/gen-test", 1, 1), IoError);
  const test::TempDir folder;
  write_text(folder / "file", "");
  EXPECT_THROW(save(folder / "file", 1, 1), IoError);
}

}  // namespace
}  // namespace gen
