#include "gen/diffusion/parameterization.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/rng.h"
#include "support/support.h"

namespace gen {
namespace {

class EveryPredictionType : public testing::TestWithParam<PredictionType> {};

TEST_P(EveryPredictionType, TargetLeadsBackToTheCleanData) {
  const auto schedule = noise_schedules().make(Component("linear"));
  Rng rng(3);
  const auto x0 = rng.normal({4, 2}, at::kDouble), noise = rng.normal({4, 2}, at::kDouble);
  for (double t : {0.0, 10.0, 500.0, 999.0}) {
    const auto alpha = torch::full({4, 1}, schedule->alpha(t), at::kDouble);
    const auto sigma = torch::full({4, 1}, schedule->sigma(t), at::kDouble);
    const auto x_t = alpha * x0 + sigma * noise;
    const auto c = preconditioning(GetParam(), *schedule, t);
    const auto output = prediction_target(GetParam(), x0, noise, alpha, sigma);
    EXPECT_LT(test::max_abs_diff(c.c_skip * x_t + c.c_out * output, x0), 1e-9) << "t = " << t;
    EXPECT_LT(test::max_abs_diff(predicted_data(GetParam(), output, x_t, alpha, sigma), x0), 1e-9)
        << "t = " << t;
    EXPECT_EQ(c.c_in, 1);
    EXPECT_EQ(c.c_noise, t);
  }
}

INSTANTIATE_TEST_SUITE_P(Diffusion, EveryPredictionType,
                         testing::Values(PredictionType::epsilon, PredictionType::sample,
                                         PredictionType::v_prediction),
                         [](const auto& each) {
                           return kPredictionTypes[static_cast<size_t>(each.param)].first;
                         });

}  // namespace
}  // namespace gen
