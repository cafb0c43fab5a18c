#include "train/gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/support.h"

namespace gen {
namespace {

TEST(Gradients, GlobalNormIsThatOfAllEntries) {
  EXPECT_NEAR(global_norm({torch::full({3}, 2.0), torch::full({2, 2}, 1.0)}).item<double>(), 4.0, 1e-6);
  EXPECT_EQ(global_norm({}).item<double>(), 0);
}

TEST(Gradients, GlobalNormShowsASingleNan) {
  auto bad = torch::zeros({4});
  bad[2] = std::nan("");
  EXPECT_TRUE(std::isnan(global_norm({torch::ones({3}), bad}).item<double>()));
}

TEST(Gradients, ClippingMatchesTorch) {
  auto ours = torch::full({5}, 3.0), theirs = torch::zeros({5}, torch::requires_grad());
  theirs.mutable_grad() = torch::full({5}, 3.0);
  torch::nn::utils::clip_grad_norm_(theirs, 1.5);
  clip_to_norm_({ours}, global_norm({ours}).item<double>(), 1.5);
  EXPECT_LT(test::max_abs_diff(ours, theirs.grad()), 1e-6);
}

TEST(Gradients, SmallGradientsAreNotScaledUp) {
  const auto gradient = torch::full({5}, 1e-3);
  clip_to_norm_({gradient}, global_norm({gradient}).item<double>(), 1.0);
  EXPECT_TRUE(torch::equal(gradient, torch::full({5}, 1e-3)));
}

TEST(Gradients, AllFiniteSeesNanAndInfinity) {
  EXPECT_TRUE(all_finite({torch::ones({3}), torch::ones({2}, at::kLong), torch::zeros({0})}));
  EXPECT_FALSE(all_finite({torch::ones({3}), torch::full({2}, -std::numeric_limits<double>::infinity())}));
  EXPECT_FALSE(all_finite({torch::full({2}, std::nan(""))}));
  EXPECT_TRUE(all_finite({torch::full({2}, 3e38), torch::full({2}, 3e38)})) << "large ones are finite";
}

}  // namespace
}  // namespace gen
