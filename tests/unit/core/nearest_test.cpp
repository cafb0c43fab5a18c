#include "gen/core/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace gen {
namespace {

const std::vector<std::string> kWords = {"learning_rate", "latent_dim", "beta", "weight_decay"};

TEST(Nearest, FindsTyposSwapsAndCase) {
  EXPECT_EQ(nearest("latent_dmi", kWords), "latent_dim");
  EXPECT_EQ(nearest("Beta", kWords), "beta");
  EXPECT_EQ(nearest("weightdecay", kWords), "weight_decay");
}

TEST(Nearest, CompletesAnAbbreviationThatHasOneMeaning) {
  const std::vector<std::string> splits = {"train", "validation", "test"};
  EXPECT_EQ(nearest("val", splits), "validation");
  EXPECT_EQ(nearest("VALID", splits), "validation");
  EXPECT_EQ(nearest("wei", std::vector<std::string>{"weight", "weights"}), "") << "of two none is meant";
}

TEST(Nearest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest("horse", kWords), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), kWords), "");
  EXPECT_EQ(did_you_mean("horse", kWords), "");
}

TEST(Nearest, IsPutIntoWords) { EXPECT_EQ(did_you_mean("betta", kWords), " (did you mean \"beta\"?)"); }

}  // namespace
}  // namespace gen
