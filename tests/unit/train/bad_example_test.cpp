#include "train/bad_example.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gen/io/json_file.h"
#include "unit/train/trainer_case.h"

namespace gen {
namespace {

struct BadExampleTraining : Trainer {};

TEST_F(BadExampleTraining, ABadExampleLeavesACheckpointAndGoesOnBitForBit) {
  experiment.train.gradient_accumulation = 2;
  experiment.train.steps = 5;
  run();
  const auto expected = weights;
  const auto expected_metrics = metrics();
  std::filesystem::remove_all(temp / "run");
  bad = {13};  // second batch of the second step
  try {
    run();
    FAIL() << "a bad example went unnoticed";
  } catch (const ExampleError& e) {
    const std::string text = e.what();
    EXPECT_EQ(e.code(), ExitCode::data);
    EXPECT_TRUE(text.starts_with("13.png: truncated\n")) << text;
    EXPECT_NE(text.find("the newest checkpoint is of step 1;"), std::string::npos) << text;
    EXPECT_NE(text.find("--resume"), std::string::npos) << text;
  }
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{1}));
  bad.clear();
  run({}, RunMode::resume);
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
  EXPECT_EQ(metrics(), expected_metrics);
}

TEST_F(BadExampleTraining, ABadExampleInTheFirstBatchLeavesARunThatAResumeBegins) {
  run();
  const auto expected = weights;
  std::filesystem::remove_all(temp / "run");
  bad = {2};
  for (const RunMode mode : {RunMode::create, RunMode::resume}) {
    try {
      run({}, mode);
      FAIL() << "a bad example went unnoticed";
    } catch (const ExampleError& e) {
      EXPECT_EQ(std::string(e.what()),
                fmt::format("2.png: truncated\n  nothing is trained yet; once the data are "
                            "repaired:\n    gen train --run-dir {} --resume",
                            (temp / "run").string()));
    }
  }
  bad.clear();
  EXPECT_EQ(run({}, RunMode::resume).step, 8);
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
}

TEST_F(BadExampleTraining, ABadExampleInTheFirstBatchMayBeTakenAway) {
  bad = {2};
  EXPECT_THROW(run(), ExampleError);
  bad.clear();
  num_examples = 63;
  EXPECT_EQ(run({}, RunMode::resume).step, 8);
  EXPECT_EQ(read_json(temp / "run/run.json")["data_fingerprint"]["train"]["examples"], 63);
}

TEST_F(BadExampleTraining, SkippedExamplesAreListedAndAResumeIsExact) {
  bad = {5, 6, 21};
  bad_options.on_error = OnError::skip;
  run();
  const auto expected = weights;
  const auto expected_metrics = metrics();
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 4, 8, 12, 16, 20, 24, 28}));
  EXPECT_EQ(expected_metrics[0]["skipped_examples"], 0);
  EXPECT_EQ(expected_metrics[7]["skipped_examples"], 3);
  EXPECT_EQ(read_json(temp / "run" / "summary.json")["skipped_examples"], 3);
  const auto list = test::read_text(temp / "run" / "skipped.jsonl");
  EXPECT_TRUE(list.starts_with(R"({"step":2,"split":"train","index":5,"what":"5.png: truncated"})")) << list;
  std::filesystem::remove_all(temp / "run");
  stop_at = 3;
  run();
  signals::reset();
  stop_at = -1;
  run({}, RunMode::resume);
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
  EXPECT_EQ(metrics(), expected_metrics);
  EXPECT_EQ(test::read_text(temp / "run" / "skipped.jsonl"), list);
}

TEST_F(BadExampleTraining, TheBudgetOfSkippedExamplesHoldsOverAResume) {
  bad = {1, 9, 17};
  bad_options = {OnError::skip, 2};
  EXPECT_THROW(run(), ExampleError);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{4}));
  EXPECT_THROW(run({}, RunMode::resume), ExampleError);
  bad_options.max_skipped = 3;
  EXPECT_EQ(run({}, RunMode::resume).step, 8);
}

TEST_F(BadExampleTraining, AValidationThatMetABadExampleIsMadeUpFor) {
  with_validation = true;
  experiment.train.validate_every = 3;
  run();
  const auto expected = metrics();
  const auto expected_summary = read_json(temp / "run" / "summary.json");
  std::filesystem::remove_all(temp / "run");
  bad_validation = {2};
  EXPECT_THROW(run(), ExampleError);
  EXPECT_EQ(checkpoint_steps(), (std::vector<int64_t>{3}));
  bad_validation.clear();
  run({}, RunMode::resume);
  EXPECT_EQ(metrics(), expected);
  EXPECT_EQ(read_json(temp / "run" / "summary.json")["best_step"], expected_summary["best_step"]);
}

}  // namespace
}  // namespace gen
