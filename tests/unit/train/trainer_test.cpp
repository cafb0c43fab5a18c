#include "gen/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
#include "train/non_finite.h"
#include "train/sgd.h"
#include "unit/train/trainer_case.h"

namespace gen {
namespace {

TEST_F(Trainer, LossFallsAndEveryStepIsLogged) {
  experiment.train.steps = 400;
  experiment.train.optimizer = make_component("sgd", SgdOptions{.lr = 0.02});
  const auto result = run();
  const auto lines = metrics();
  ASSERT_EQ(lines.size(), 400U);
  EXPECT_LT(result.final_loss, 0.2 * lines.front()["loss"].get<double>());
  for (const char* key : {"step", "split", "loss", "loss_mean", "squared_error", "grad_norm", "lr"})
    EXPECT_TRUE(lines.front().contains(key)) << key;
  EXPECT_EQ(read_json(temp / "run" / "summary.json")["step"], 400);
}

TEST_F(Trainer, NanIsAnErrorByDefault) {
  try {
    run({9});  // third batch
    FAIL() << "a NaN went unnoticed";
  } catch (const NumericalError& e) {
    const std::string text = e.what();
    EXPECT_EQ(e.code(), ExitCode::numerical);
    EXPECT_NE(text.find("step 3: the loss is nan"), std::string::npos) << text;
    EXPECT_NE(text.find("examples 8, 9, 10, 11"), std::string::npos) << text;
    EXPECT_NE(text.find("line.weight"), std::string::npos) << text;
  }
}

TEST_F(Trainer, SkipLeavesTheBadStepOut) {
  experiment.train.nan_policy = NanPolicy::skip;
  run({9});
  const auto lines = metrics();
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[2]["loss"], "nan");
  EXPECT_TRUE(lines[3]["loss"].is_number());
  EXPECT_EQ(read_json(temp / "run" / "summary.json")["non_finite_steps"], 1);
  EXPECT_EQ(batches, 7) << "the module's buffers are those of the steps that count";
}

TEST_F(Trainer, SkipEndsWhenItsBudgetIsSpent) {
  experiment.train.nan_policy = NanPolicy::skip;
  experiment.train.nan_budget = 1;
  EXPECT_THROW(run({1, 9}), NumericalError);
}

TEST_F(Trainer, RollbackGoesOnBehindTheBadBatch) {
  experiment.train.nan_policy = NanPolicy::rollback;
  experiment.train.checkpoint_every = 2;
  run({13});  // batch 3 fails at step 3; the newest checkpoint is that of step 2
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 4, 8, 12, 16, 20, 24, 28, 32, 36}));
  const auto lines = metrics();
  ASSERT_EQ(lines.size(), 8U);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i]["step"], i + 1);
  EXPECT_EQ(batches, 8);
}

TEST_F(Trainer, RollbackAtTheFirstStepGoesToTheStart) {
  experiment.train.nan_policy = NanPolicy::rollback;
  run({1});
  EXPECT_EQ(seen[1], 4);
  EXPECT_EQ(metrics().size(), 8U);
}

TEST_F(Trainer, StopsAfterACheckpointAndResumesBitForBit) {
  experiment.train.ema.decay = 0.9;
  run();
  const auto expected = weights;
  const auto expected_metrics = metrics();
  std::filesystem::remove_all(temp / "run");
  stop_at = 3;
  const auto stopped = run();
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.step, 4);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{4}));
  signals::reset();
  stop_at = -1;
  const auto result = run({}, RunMode::resume);
  EXPECT_FALSE(result.stopped);
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
  EXPECT_EQ(metrics(), expected_metrics);
}

TEST_F(Trainer, EarlyStopKeepsTheBestCheckpoint) {
  with_validation = true;
  validation_rises_by = 100;
  experiment.train.steps = 100;
  experiment.train.validate_every = 2;
  experiment.train.checkpoint_every = 1;
  experiment.train.keep_last = 1;
  experiment.train.early_stop.patience = 3;
  const auto result = run();
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(result.step, 8);  // best at 2, then 4, 6, 8 are worse
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{8, 2}));
  EXPECT_EQ(read_json(temp / "run" / "summary.json")["best_step"], 2);
}

TEST_F(Trainer, AnEarlyStopIsLeftBehindByMorePatience) {
  with_validation = true;
  validation_rises_by = 100;
  experiment.train.steps = 20;
  experiment.train.validate_every = 2;
  experiment.train.early_stop.patience = 3;
  EXPECT_EQ(run().step, 8);
  EXPECT_EQ(run({}, RunMode::resume).step, 8) << "stopped for good, where nothing has changed";
  experiment.train.early_stop.patience = 5;
  EXPECT_EQ(run({}, RunMode::resume).step, 12);
  experiment.train.early_stop.patience = 0;
  EXPECT_EQ(run({}, RunMode::resume).step, 20);
}

TEST_F(Trainer, AccumulationEqualsOneLargeBatch) {
  experiment.train.steps = 3;
  experiment.train.batch_size = 8;
  // Noise is drawn per pass, so only its size (0.01) may differ.
  run();
  const auto large = weights;
  std::filesystem::remove_all(temp / "run");
  experiment.train.batch_size = 4;
  experiment.train.gradient_accumulation = 2;
  run();
  for (const auto& [name, tensor] : large)
    EXPECT_LT(test::max_abs_diff(tensor, weights.at(name)), 1e-3) << name;
}

TEST_F(Trainer, LogsTermsAsMeansOverTheAccumulatedBatches) {
  experiment.train.gradient_accumulation = 3;
  run();
  for (const auto& line : metrics())
    EXPECT_NEAR(line["squared_error"].get<double>(), line["loss"].get<double>(), 1e-6) << line.dump();
}

// A disk that refuses the checkpoints numbered first..last (from 1).
struct RefusingDisk {
  RefusingDisk(int first, int last) {
    set_fault_hook([this, first, last](const char* point) {
      if (std::string(point) == "create folder" && ++attempts >= first && attempts <= last)
        throw IoError("No space left on device");
    });
  }
  ~RefusingDisk() { set_fault_hook(nullptr); }
  int attempts = 0;
};

TEST_F(Trainer, SurvivesTwoRefusedCheckpoints) {
  experiment.train.checkpoint_every = 1;
  experiment.train.keep_last = 9;
  const RefusingDisk disk(3, 4);
  EXPECT_EQ(run().step, 8);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{8, 7, 6, 5, 2, 1}));
}

TEST_F(Trainer, GivesUpAtTheThirdRefusedCheckpoint) {
  experiment.train.checkpoint_every = 1;
  const RefusingDisk disk(3, 99);
  EXPECT_THROW(run(), IoError);
  EXPECT_EQ(disk.attempts, 5);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{2, 1}));
}

TEST_F(Trainer, TheLastCheckpointMustSucceed) {
  const RefusingDisk disk(1, 99);
  EXPECT_THROW(run(), IoError);
  EXPECT_EQ(disk.attempts, 1);
}

TEST_F(Trainer, NeverSavesANonFiniteParameter) {
  experiment.train.steps = 1;
  torch::manual_seed(1);
  Session session;
  session.data = std::make_shared<Points>();
  session.model = std::make_unique<LineModel>();
  // A parameter outside the loss: no gradient shows that it is not finite.
  session.model->module().register_parameter("idle", torch::full({2}, NAN));
  session.optimizer =
      optimizers().make(experiment.train.optimizer, parameter_groups(session.model->module()));
  session.schedule = lr_schedules().make(experiment.train.lr_schedule);
  const RunDir folder = RunDir::open_for_training(temp / "run", RunMode::create);
  try {
    train_session(experiment, folder, session);
    FAIL() << "saved";
  } catch (const NumericalError& error) {
    EXPECT_NE(std::string(error.what()).find("there is none before it"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(checkpoint_steps().empty());
}

TEST(NonFinite, IsNamedWithoutTheSignOfANan) {
  EXPECT_STREQ(non_finite_name(-std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_STREQ(non_finite_name(-INFINITY), "-inf");
  EXPECT_STREQ(non_finite_name(INFINITY), "inf");
}

}  // namespace
}  // namespace gen
