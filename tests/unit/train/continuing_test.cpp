// What a run goes on from, and what it begins at.
#include <gtest/gtest.h>

#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
#include "gen/io/safetensors.h"
#include "gen/nn/network.h"
#include "train/load_weights.h"
#include "train/run_record.h"
#include "unit/io/damage.h"
#include "unit/train/trainer_case.h"

namespace gen {
namespace {

TEST_F(Trainer, ResumeRefusesAnotherModelNamingThePointer) {
  run();
  experiment.train.batch_size = 5;
  try {
    run({}, RunMode::resume);
    FAIL() << "another batch size was accepted";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("/train/batch_size: the run has 4, the config now says 5"),
              std::string::npos)
        << e.what();
  }
}

TEST_F(Trainer, ResumeMayTrainLonger) {
  run();
  experiment.train.steps = 10;
  EXPECT_EQ(run({}, RunMode::resume).step, 10);
  EXPECT_EQ(seen, (std::vector<int64_t>{32, 36}));
}

// What a run that must be refused says; "" where it is not.
template <class Thrown = ConfigError, class Work>
std::string said_by(Work work) {
  try {
    work();
  } catch (const Thrown& e) {
    return e.what();
  }
  return "";
}

TEST_F(Trainer, ResumeRefusesDataThatHaveGrown) {
  with_validation = true;
  run();
  experiment.train.steps = 9;
  num_examples = 72;
  auto says = said_by([&] { run({}, RunMode::resume); });
  EXPECT_NE(
      says.find(
          "cannot resume with other data: the run began with 64 training examples and there are 72 now"),
      std::string::npos)
      << says;
  EXPECT_NE(says.find("--init-from"), std::string::npos) << says;
  num_examples = 64;
  num_validation = 9;
  says = said_by([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("began with 8 validation examples and there are 9 now"), std::string::npos) << says;
  with_validation = false;
  says = said_by([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("began with 8 validation examples and there are none now"), std::string::npos) << says;
  EXPECT_EQ(test::read_text(temp / "run/STATUS"), "done\n");
  with_validation = true;
  num_validation = 8;
  EXPECT_EQ(run({}, RunMode::resume).step, 9);
}

TEST_F(Trainer, WhatIsReadOnceItIsRepairedIsHeldAgainstLaterData) {
  bad = {63};
  run();
  bad.clear();
  experiment.train.steps = 9;
  run({}, RunMode::resume);
  const auto print = [&] { return read_json(temp / "run/run.json")["data_fingerprint"]["train"]["hashes"]; };
  const Json repaired = print();
  EXPECT_NE(repaired[1], "");
  bad = {63};
  experiment.train.steps = 10;
  run({}, RunMode::resume);
  EXPECT_EQ(print(), repaired);
}

TEST_F(Trainer, ResumeRefusesOtherDataOfTheSameSize) {
  run();
  y = 2;
  experiment.train.steps = 9;
  const auto says = said_by([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("as many train examples of the same kind, but not the same ones"), std::string::npos)
      << says;
  EXPECT_NE(says.find("--init-from"), std::string::npos) << says;
  EXPECT_EQ(test::read_text(temp / "run/STATUS"), "done\n");
}

TEST_F(Trainer, AnEditedConfigIsToldAndRefusedWhereItMattersToTheRun) {
  run();
  const auto edit = [&](const std::string& pointer, const Json& value) {
    Json config = read_json(temp / "run/config.json");
    config[Json::json_pointer(pointer)] = value;
    write_json(temp / "run/config.json", config);
  };
  edit("/sample/count", 3);
  testing::internal::CaptureStderr();
  run({}, RunMode::resume);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("/sample/count: the run has 64, the file now says 3"),
            std::string::npos);
  edit("/seed", 7);
  experiment.seed = 7;
  const auto says = said_by([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("/seed: the run has 0, the file now says 7"), std::string::npos) << says;
}

TEST_F(Trainer, ACheckpointOfAnotherRunIsRefused) {
  run();
  name = "other";
  experiment.seed = 1;
  run();
  std::filesystem::remove_all(temp / "run/checkpoints/step_00000008");
  std::filesystem::copy(temp / "other/checkpoints/step_00000008", temp / "run/checkpoints/step_00000008");
  name = "run";
  experiment.seed = 0;
  const auto says = said_by<DataError>([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("not a checkpoint of this run"), std::string::npos) << says;
}

TEST_F(Trainer, ACheckpointIsNamedByItsStepOrItsFolder) {
  experiment.train.checkpoint_every = 4;
  experiment.train.keep_last = 2;
  run();
  const auto folder = RunDir::open_existing(temp / "run");
  const auto step_of = [&](const std::string& which) {
    return choose_checkpoint(folder, {false, which}).step;
  };
  const std::string checkpoints = (temp / "run/checkpoints").string();
  for (const auto& which : {std::string("4"), std::string("step_00000004"), std::string("step_4/"),
                            checkpoints + "/step_00000004", checkpoints + "/../checkpoints/step_00000004/",
                            std::string("checkpoints/step_00000004")})
    EXPECT_EQ(step_of(which), 4) << which;
  std::filesystem::copy(temp / "run", temp / "other", std::filesystem::copy_options::recursive);
  auto says = said_by([&] { step_of((temp / "other/checkpoints/step_00000004").string()); });
  EXPECT_NE(says.find("is not a checkpoint of the run " + (temp / "run").string()), std::string::npos)
      << says;
  for (const char* which : {"newest", "step_", "step_x", "other/step_00000004", "/", "4.0", "checkpoints"})
    EXPECT_NE(said_by([&] { step_of(which); }).find("the folder of one of the run's checkpoints"),
              std::string::npos)
        << which;
}

TEST_F(Trainer, WeightsArePrunedUnderASamplerThatTakesTheNext) {
  experiment.train.checkpoint_every = 4;
  experiment.train.keep_last = 2;
  run();
  const auto folder = RunDir::open_existing(temp / "run");
  const auto chosen = choose_checkpoint(folder, {});
  EXPECT_EQ(chosen.step, 8);
  std::filesystem::rename(chosen.folder, temp / "run/checkpoints/.tmp-step_00000008-pruned");
  LoadedRun loaded;
  loaded.model = std::make_unique<LineModel>();
  load_weights(folder, read_record(folder.run()), {}, chosen, loaded);
  EXPECT_EQ(loaded.step, 4);
  const auto expected = load_checkpoint_tensors(choose_checkpoint(folder, {}), "model");
  for (const auto& [name, tensor] : state_of(loaded.model->module()))
    EXPECT_TRUE(torch::equal(tensor, expected.at(name))) << name;
  const auto says = said_by<DataError>(
      [&] { load_weights(folder, read_record(folder.run()), {false, "8"}, chosen, loaded); });
  EXPECT_NE(says.find("no checkpoint of step 8; there are: 4"), std::string::npos) << says;
}

TEST_F(Trainer, WholeCheckpointsStayWhereTheNewestAreDamaged) {
  experiment.train.checkpoint_every = 2;
  experiment.train.keep_last = 4;
  run();
  for (const char* step : {"6", "8"}) {
    const auto file = temp / (std::string("run/checkpoints/step_0000000") + step + "/model.safetensors");
    auto bytes = test::read_text(file);
    bytes.back() ^= 1;
    test::write_text(file, bytes);
  }
  // Goes on from step 4 and is stopped before the damaged ones are overtaken.
  experiment.train.keep_last = 2;
  experiment.train.checkpoint_every = 1;
  stop_at = 4;
  EXPECT_EQ(run({}, RunMode::resume).step, 5);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{8, 6, 5, 4}));
  signals::reset();
  stop_at = -1;
  EXPECT_EQ(run({}, RunMode::resume).step, 8);
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{8, 7}));
}

TEST_F(Trainer, AResumeThatLostItsCheckpointsIsRefusedAndCutsNothing) {
  run();
  const auto before = metrics();
  std::filesystem::remove(temp / "run/checkpoints/step_00000008/optimizer.safetensors");
  experiment.train.steps = 9;
  auto says = said_by<DataError>([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("step 8: optimizer.safetensors is missing"), std::string::npos) << says;
  EXPECT_NE(says.find("--init-from"), std::string::npos) << says;
  std::filesystem::rename(temp / "run/checkpoints", temp / "away");
  says = said_by<DataError>([&] { run({}, RunMode::resume); });
  EXPECT_NE(says.find("the run made checkpoints up to step 8"), std::string::npos) << says;
  EXPECT_EQ(metrics(), before);
  EXPECT_EQ(test::read_text(temp / "run/STATUS"), "done\n");
  EXPECT_EQ(read_json(temp / "run/run.json")["starts"].size(), 1U);
}

TEST_F(Trainer, AFolderMovedAwayStopsTheRunAndWhatIsInMemoryGoesOn) {
  experiment.train.checkpoint_every = 2;
  run();
  const auto expected = weights;
  name = "moved";
  at_step = [&](int64_t step) {
    if (step == 5) std::filesystem::rename(temp / "moved", temp / "gone");
  };
  const auto says = said_by<IoError>([&] { run(); });
  EXPECT_NE(says.find("moved to " + (temp / "gone").string()), std::string::npos) << says;
  EXPECT_NE(says.find("gen train --run-dir " + (temp / "moved-rescued").string() + " --resume"),
            std::string::npos)
      << says;
  EXPECT_FALSE(std::filesystem::exists(temp / "moved"));
  at_step = {};
  name = "moved-rescued";
  EXPECT_EQ(run({}, RunMode::resume).step, 8);
  EXPECT_EQ(seen.size(), 2U);
  for (const auto& [key, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(key))) << key;
}

TEST_F(Trainer, KilledAtAnyPointGoesOnToTheSameWeights) {
  experiment.train.steps = 2;
  experiment.train.checkpoint_every = 1;
  experiment.train.keep_last = 1;
  run();
  const auto expected = weights;
  const auto expected_metrics = metrics();
  int code = 137;
  for (int points = 0; code != 0; points += 5) {
    std::filesystem::remove_all(temp / "run");
    code = test::in_child([&] {
      set_fault_hook([n = points](const char*) mutable {
        if (n-- <= 0) _exit(137);
      });
      run();
      return 0;
    });
    ASSERT_TRUE(code == 0 || code == 137) << code;
    ASSERT_LT(points, 600);
    // A run that never began is begun by the same command again.
    const bool began = std::filesystem::exists(temp / "run/config.json");
    EXPECT_EQ(run({}, began ? RunMode::resume : RunMode::create).step, 2) << points;
    for (const auto& [key, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(key))) << points;
    EXPECT_EQ(metrics(), expected_metrics) << points;
    // One more than keep_last where the kill came between the last checkpoint and the pruning that follows it.
    EXPECT_EQ(checkpoint_steps().front(), 2) << points;
  }
}

TEST_F(Trainer, BeginsAtTheWeightsOfAnotherRun) {
  experiment.train.ema.decay = 0.5;
  run();
  const auto averaged = load_checkpoint_tensors(list_checkpoints(temp / "run/checkpoints").front(), "ema");
  name = "tuned";
  warm.source = temp / "run";
  experiment.train.optimizer = make_component("sgd", SgdOptions{.lr = 1e-30});
  experiment.train.batch_size = 2;
  experiment.train.steps = 1;
  run();
  for (const auto& [key, tensor] : weights) EXPECT_TRUE(torch::equal(tensor, averaged.at(key))) << key;
  const Json origin = read_json(temp / "tuned/run.json")["init_from"];
  EXPECT_EQ(origin["source"], (temp / "run").string());
  EXPECT_EQ(origin["step"], 8);
  EXPECT_EQ(origin["weights"], "ema");
  EXPECT_EQ(origin["config_hash"], read_json(temp / "run/run.json")["config_hash"]);
  EXPECT_EQ(checkpoint_steps().size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(temp / "tuned/checkpoints/step_00000000"))
      << "a resume needs no source";
}

TEST_F(Trainer, WeightsOfAnotherModelAreRefusedAllAtOnce) {
  write_safetensors(temp / "w.safetensors",
                    {{"line.weight", torch::zeros({1, 3})}, {"other", torch::zeros({2})}}, {});
  warm.source = temp / "w.safetensors";
  const auto says = said_by<DataError>([&] { run(); });
  for (const char* part : {"line.bias", "other", "line.weight: expected shape [1, 2], got [1, 3]"})
    EXPECT_NE(says.find(part), std::string::npos) << part << says;
}

}  // namespace
}  // namespace gen
