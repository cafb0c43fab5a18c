#include "gen/core/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace gen {
namespace {

TEST(HumanBytes, PicksTheUnit) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(3.0 * (1 << 30)), "3.0 GiB");
}

TEST(HumanCount, PicksTheUnit) {
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(12'345), "12.3 k");
  EXPECT_EQ(human_count(6'512'345), "6.51 M");
}

TEST(HumanDuration, PicksTheUnit) {
  EXPECT_EQ(human_duration(3.2), "3.2s");
  EXPECT_EQ(human_duration(75), "1m15s");
  EXPECT_EQ(human_duration(3725), "1h02m");
  EXPECT_EQ(human_duration(std::numeric_limits<double>::infinity()), "?");
}

}  // namespace
}  // namespace gen
