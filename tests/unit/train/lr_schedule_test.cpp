#include <gtest/gtest.h>

#include <cmath>

#include "gen/config/load.h"
#include "gen/train/optimizer.h"

namespace gen {
namespace {

struct Holder {
  Component schedule{"constant"};
  void visit(OptionVisitor& v) { v.component("lr_schedule", schedule, lr_schedules(), ""); }
};

std::unique_ptr<LrSchedule> schedule(const std::string& json) {
  Holder holder;
  Issues issues;
  load(Document::parse("{\"lr_schedule\": " + json + "}", "test", issues), holder, issues);
  issues.throw_if_any();
  return lr_schedules().make(holder.schedule);
}

TEST(LrSchedule, EveryTypeWarmsUpLinearlyToTheFullRate) {
  for (const auto& type : lr_schedules().types()) {
    const auto s = schedule("{\"type\": \"" + type + "\", \"warmup_steps\": 4}");
    for (int64_t step = 0; step < 4; ++step)
      EXPECT_DOUBLE_EQ(s->factor(step, 100), static_cast<double>(step + 1) / 4) << type;
    EXPECT_NEAR(s->factor(4, 100), 1.0, 0.11) << type;
  }
}

TEST(LrSchedule, ConstantStaysAtOne) { EXPECT_EQ(schedule(R"({"type": "constant"})")->factor(99, 100), 1.0); }

TEST(LrSchedule, CosineFallsToItsMinimum) {
  const auto s = schedule(R"({"type": "cosine", "warmup_steps": 10, "min_ratio": 0.1})");
  EXPECT_DOUBLE_EQ(s->factor(10, 110), 1.0);
  EXPECT_NEAR(s->factor(60, 110), 0.55, 1e-12);
  EXPECT_NEAR(s->factor(35, 110), 0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(s->factor(110, 110), 0.1, 1e-12);
  EXPECT_NEAR(s->factor(500, 110), 0.1, 1e-12);
}

TEST(LrSchedule, LinearFallsInAStraightLine) {
  const auto s = schedule(R"({"type": "linear", "min_ratio": 0.2})");
  EXPECT_DOUBLE_EQ(s->factor(0, 100), 1.0);
  EXPECT_NEAR(s->factor(25, 100), 0.8, 1e-12);
  EXPECT_NEAR(s->factor(100, 100), 0.2, 1e-12);
}

TEST(LrSchedule, InverseSqrtHalvesAtFourTimesTheWarmUp) {
  const auto s = schedule(R"({"type": "inverse_sqrt", "warmup_steps": 100})");
  EXPECT_NEAR(s->factor(399, 1000), 0.5, 1e-12);
}

TEST(LrSchedule, RefusesANegativeWarmUp) {
  EXPECT_THROW(schedule(R"({"type": "linear", "warmup_steps": -1})"), std::exception);
}

}  // namespace
}  // namespace gen
