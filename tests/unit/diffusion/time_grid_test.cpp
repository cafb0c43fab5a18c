#include "diffusion/time_grid.h"

#include <gtest/gtest.h>

#include "gen/core/error.h"

namespace gen {
namespace {

using Times = std::vector<double>;

TEST(TimeGrid, HasTheSpacingsOfTable2OfLinEtAl) {
  EXPECT_EQ(make_time_grid(TimestepSpacing::leading, 1000, 4).points, (Times{750, 500, 250, 0}));
  EXPECT_EQ(make_time_grid(TimestepSpacing::leading, 1000, 4, 1).points, (Times{751, 501, 251, 1}));
  EXPECT_EQ(make_time_grid(TimestepSpacing::trailing, 1000, 4).points, (Times{999, 749, 499, 249}));
  EXPECT_EQ(make_time_grid(TimestepSpacing::linspace, 1000, 4).points, (Times{999, 666, 333, 0}));
}

TEST(TimeGrid, RoundsWhereStepsDoNotDivideTheTimesteps) {
  EXPECT_EQ(make_time_grid(TimestepSpacing::leading, 10, 4).points, (Times{6, 4, 2, 0}));
  EXPECT_EQ(make_time_grid(TimestepSpacing::trailing, 10, 4).points,
            (Times{9, 7, 4, 1}));                                                        // 7.5 -> 8, 2.5 -> 2
  EXPECT_EQ(make_time_grid(TimestepSpacing::linspace, 10, 3).points, (Times{9, 4, 0}));  // 4.5 -> 4
}

// tests/golden/trailing_times.py makes the fingerprint: FNV-1a over the times, for 1, 2, ... 1000 of them.
TEST(TimeGrid, TrailingIsNumpysForEveryCount) {
  const auto times = make_time_grid(TimestepSpacing::trailing, 1000, 48).points;
  EXPECT_EQ(Times(times.begin(), times.begin() + 5), (Times{999, 978, 957, 936, 916}));
  uint64_t fingerprint = 1469598103934665603U;
  for (int64_t steps = 1; steps <= 1000; ++steps)
    for (const double t : make_time_grid(TimestepSpacing::trailing, 1000, steps).points)
      fingerprint = (fingerprint ^ static_cast<uint64_t>(t)) * 1099511628211U;
  EXPECT_EQ(fingerprint, 16130456796503499067U);
}

TEST(TimeGrid, VisitsEveryTimestepOnceAtFullLength) {
  for (auto spacing : {TimestepSpacing::leading, TimestepSpacing::trailing, TimestepSpacing::linspace})
    EXPECT_EQ(make_time_grid(spacing, 5, 5).points, (Times{4, 3, 2, 1, 0}));
}

TEST(TimeGrid, StartsAtTheNoisiestTimeInOneStep) {
  EXPECT_EQ(make_time_grid(TimestepSpacing::trailing, 1000, 1).points, (Times{999}));
  EXPECT_EQ(make_time_grid(TimestepSpacing::linspace, 1000, 1).points, (Times{999}));
}

TEST(TimeGrid, RefusesTimesBeyondTheSchedule) {
  EXPECT_THROW(make_time_grid(TimestepSpacing::leading, 10, 11), ConfigError);
  EXPECT_THROW(make_time_grid(TimestepSpacing::leading, 10, 10, 1), ConfigError);
}

}  // namespace
}  // namespace gen
