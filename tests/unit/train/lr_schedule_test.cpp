#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

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

// First and last factor of every type, of 10 steps with and without warm-up; where it has a min_ratio, that is 0.1.
TEST(LrSchedule, EveryTypeBeginsAndEndsWhereItsOptionsSay) {
  const std::map<std::string, double> last{
      {"constant", 1.0}, {"linear", 0.1}, {"cosine", 0.1}, {"inverse_sqrt", std::sqrt(1 / 10.0)}};
  const std::map<std::string, double> last_of_warmed{
      {"constant", 1.0}, {"linear", 0.1}, {"cosine", 0.1}, {"inverse_sqrt", std::sqrt(4 / 10.0)}};
  for (const auto& type : lr_schedules().types()) {
    ASSERT_TRUE(last.contains(type)) << "say where " << type << " ends";
    const std::string ratio = last.at(type) == 0.1 ? R"(, "min_ratio": 0.1)" : "";
    const auto plain = schedule(R"({"type": ")" + type + '"' + ratio + "}");
    EXPECT_DOUBLE_EQ(plain->factor(0, 10), 1.0) << type;
    EXPECT_DOUBLE_EQ(plain->factor(9, 10), last.at(type)) << type;
    EXPECT_DOUBLE_EQ(plain->factor(0, 1), 1.0) << type;
    const auto warmed = schedule(R"({"type": ")" + type + R"(", "warmup_steps": 4)" + ratio + "}");
    EXPECT_DOUBLE_EQ(warmed->factor(0, 10), 0.25) << type;
    EXPECT_DOUBLE_EQ(warmed->factor(3, 10), 1.0) << type;
    EXPECT_DOUBLE_EQ(warmed->factor(9, 10), last_of_warmed.at(type)) << type;
  }
}

TEST(LrSchedule, ConstantStaysAtOne) { EXPECT_EQ(schedule(R"({"type": "constant"})")->factor(99, 100), 1.0); }

TEST(LrSchedule, CosineFallsToItsMinimum) {
  const auto s = schedule(R"({"type": "cosine", "warmup_steps": 10, "min_ratio": 0.1})");
  EXPECT_DOUBLE_EQ(s->factor(9, 110), 1.0);
  EXPECT_NEAR(s->factor(59, 110), 0.55 + 0.45 * std::cos(std::numbers::pi * 50 / 100), 1e-12);
  EXPECT_NEAR(s->factor(34, 110), 0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(s->factor(109, 110), 0.1, 1e-12);
  EXPECT_NEAR(s->factor(500, 110), 0.1, 1e-12);
}

TEST(LrSchedule, LinearFallsInAStraightLine) {
  const auto s = schedule(R"({"type": "linear", "min_ratio": 0.2})");
  EXPECT_DOUBLE_EQ(s->factor(0, 101), 1.0);
  EXPECT_NEAR(s->factor(25, 101), 0.8, 1e-12);
  EXPECT_NEAR(s->factor(100, 101), 0.2, 1e-12);
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
