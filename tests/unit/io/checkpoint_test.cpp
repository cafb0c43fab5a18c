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
#include "io/run_leftovers.h"
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

PruneRule keep_whole(int64_t keep_last, std::vector<int64_t> steps = {}) {
  return {keep_last, std::move(steps), [](const auto&) { return true; },
          [](const auto& each) { return verify_checkpoint(each).empty(); }};
}

void damage_model(const CheckpointInfo& checkpoint) {
  auto bytes = read_text(checkpoint.folder / "model.safetensors");
  bytes[bytes.size() / 2] ^= 0x10;
  write_text(checkpoint.folder / "model.safetensors", bytes);
}

TEST(Checkpoint, PruneKeepsTheNewestAndTheChosen) {
  const test::TempDir folder;
  for (int64_t step : {1, 2, 3, 4, 5}) save(folder.path(), step, 1);
  const auto removed = prune_checkpoints(folder.path(), keep_whole(2, {1}));
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{5, 4, 1}));
  EXPECT_EQ(removed.size(), 2U);
  EXPECT_FALSE(has_temporaries(folder.path()));
  EXPECT_THROW(prune_checkpoints(folder.path(), keep_whole(0)), InternalError);
}

TEST(Checkpoint, PruneDoesNotCountDamagedOnes) {
  const test::TempDir folder;
  for (int64_t step : {1, 2, 3, 8, 9}) save(folder.path(), step, 1);
  for (int64_t step : {8, 9}) damage_model({checkpoint_path(folder.path(), step), step});
  prune_checkpoints(folder.path(), keep_whole(2));
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{9, 8, 3, 2})) << "the whole ones stay";
  for (int64_t step : {10, 11}) save(folder.path(), step, 1);
  prune_checkpoints(folder.path(), keep_whole(2));
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{11, 10})) << "damaged ones go with their age";
}

TEST(Checkpoint, PruneLeavesWhatIsNotOfTheRunAndGoesThroughNoLink) {
  const test::TempDir folder, other;
  for (int64_t step : {1, 2, 3, 4}) save(folder.path(), step, 1);
  fs::rename(checkpoint_path(folder.path(), 1), other / "linked");
  fs::create_directory_symlink(other / "linked", checkpoint_path(folder.path(), 1));
  write_text(folder / "step_00000002/notes.txt", "mine");
  auto rule = keep_whole(1);
  rule.made = [](const auto& each) { return each.step != 3; };
  prune_checkpoints(folder.path(), rule);
  EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{4, 3, 2, 1}));
  EXPECT_EQ(read_text(folder / "step_00000002/notes.txt"), "mine");
  EXPECT_TRUE(fs::exists(other / "linked/model.safetensors"));
  // A folder of checkpoints that is itself a link.
  fs::create_directory_symlink(folder.path(), other / "checkpoints");
  EXPECT_TRUE(prune_checkpoints(other / "checkpoints", keep_whole(1)).empty());
}

TEST(Checkpoint, WhatIsReplacedIsSetAsideWhereItHoldsMore) {
  const test::TempDir folder, other;
  write_text(save(folder.path(), 5, 1).folder / "notes.txt", "mine");
  save(folder.path(), 5, 2);
  EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 2);
  EXPECT_EQ(read_text(folder / "step_00000005.set-aside/notes.txt"), "mine");
  fs::create_directory_symlink(other.path(), checkpoint_path(folder.path(), 6));
  save(folder.path(), 6, 3);
  EXPECT_EQ(value_of(*newest_valid_checkpoint(folder.path())), 3);
  EXPECT_TRUE(fs::is_symlink(folder / "step_00000006.set-aside"));
}

TEST(Checkpoint, OnlyWhatIsReadIsVerified) {
  const test::TempDir folder;
  const auto checkpoint = save(folder.path(), 1, 1);
  fs::remove(checkpoint.folder / "ema.safetensors");
  EXPECT_NE(verify_checkpoint(checkpoint), "");
  EXPECT_EQ(verify_checkpoint(checkpoint, {{"model"}}), "");
  EXPECT_NE(verify_checkpoint(checkpoint, {{"ema"}}), "");
  EXPECT_NE(verify_checkpoint(checkpoint, {{"optimizer"}}), "") << "not in its manifest";
  damage_model(checkpoint);
  EXPECT_NE(verify_checkpoint(checkpoint, {{"model"}}), "");
  EXPECT_EQ(verify_checkpoint(checkpoint, {{"model"}, /*hashes=*/false}), "");
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
                     const std::function<void()>& check, int least_points = 15) {
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
  EXPECT_GT(points, least_points);
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
  remove_leftovers(folder.path());
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

TEST(Checkpoint, KilledWhilePruningLeavesWholeOnes) {
  const test::TempDir folder;
  kill_everywhere(
      [&] {
        for (int64_t step : {1, 2, 3, 4}) save(folder.path(), step, 1);
      },
      [&] { prune_checkpoints(folder.path(), keep_whole(2)); },
      [&] {
        EXPECT_EQ(newest_valid_checkpoint(folder.path())->step, 4);
        for (const auto& each : list_checkpoints(folder.path())) EXPECT_EQ(verify_checkpoint(each), "");
        prune_checkpoints(folder.path(), keep_whole(2));
        EXPECT_EQ(steps_in(folder.path()), (std::vector<int64_t>{4, 3}));
      },
      8);
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
