#include "train/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/io/json_file.h"
#include "support/support.h"
#include "train/config_changes.h"

namespace gen {
namespace {

TEST(Progress, SurvivesJsonBitForBit) {
  Progress p;
  p.step = 12, p.updates = 11, p.skipped_batches = 3, p.loss_sum = 1.0 / 3, p.loss_count = 7,
  p.last_loss = -0.1;
  p.best_validation = std::exp(1.0);
  p.best_step = 8, p.stale_validations = 2, p.elapsed_s = 0.1;
  const Json json = to_json(p);
  EXPECT_EQ(to_json(progress_from_json({Json::parse(json.dump()), "state.json"})), json);
  EXPECT_EQ(progress_from_json({Json::parse(json.dump()), "state.json"}).loss_sum, 1.0 / 3);
}

TEST(Progress, CountsValidationsWithoutImprovement) {
  Progress p;
  EXPECT_TRUE(record_validation(p, 2.0, 0.1));
  EXPECT_FALSE(record_validation(p, 1.95, 0.1));
  EXPECT_FALSE(record_validation(p, std::nan(""), 0.1));
  EXPECT_EQ(p.stale_validations, 2);
  p.step = 30;
  EXPECT_TRUE(record_validation(p, 1.5, 0.1));
  EXPECT_EQ(p.stale_validations, 0);
  EXPECT_EQ(p.best_step, 30);
}

TEST(RunRecord, NamesThePointersThatResumeMayNotChange) {
  const Json before = Json::parse(
      R"({"seed": 0, "model": {"type": "vae", "beta": 1}, "train": {"steps": 5, "batch_size": 2}})");
  Json now = before;
  now["train"]["steps"] = 10;
  now["train"]["keep_last"] = 9;
  EXPECT_TRUE(conflicting_options(before, now).empty());
  now["model"]["beta"] = 2;
  now["train"]["batch_size"] = 3;
  EXPECT_EQ(conflicting_options(before, now), (std::vector<std::string>{"/model/beta", "/train/batch_size"}));
}

TEST(RunRecord, NamesOnlyTheTypeOfAnotherType) {
  const Json vae = Json::parse(R"({"model": {"type": "vae", "beta": 1, "latent_dim": 4}})");
  const Json flow = Json::parse(R"({"model": {"type": "flow", "prior": "gaussian"}})");
  EXPECT_EQ(conflicting_options(vae, flow), std::vector<std::string>{"/model/type"});
}

// A step that was left out (train.nan_policy skip) leaves its loss in the checkpoint.
TEST(Progress, IsReadBackWithALossThatIsNoNumber) {
  const test::TempDir folder;
  Progress p;
  p.last_loss = std::nan("");
  p.loss_sum = -HUGE_VAL;
  write_json(folder / "p.json", to_json(p));
  const Progress again = progress_from_json({read_json(folder / "p.json"), "p.json"});
  EXPECT_TRUE(std::isnan(again.last_loss));
  EXPECT_EQ(again.loss_sum, -HUGE_VAL);
}

}  // namespace
}  // namespace gen
