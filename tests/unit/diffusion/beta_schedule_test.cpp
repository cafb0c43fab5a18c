#include "diffusion/beta_schedule.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "gen/core/error.h"
#include "support/components.h"

namespace gen {
namespace {

TEST(NoiseSchedules, HaveTheAlphasCumprodOfDiffusers) {
  const Json golden = test::diffusers_samplers();
  ASSERT_EQ(golden["schedules"].size(), noise_schedules().types().size());
  for (const auto& expected : golden["schedules"]) {
    Json options = expected;
    options.erase("alphas_cumprod");
    const auto schedule = test::make_schedule(options);
    ASSERT_EQ(schedule->num_timesteps(), 1000);
    for (const auto& [t, value] : expected["alphas_cumprod"].items())
      // theirs is a product of up to 1,000 factors in float32
      EXPECT_NEAR(schedule->alphas_cumprod()[std::stoul(t)] / value.get<double>(), 1, 2e-5)
          << expected["type"] << " at t = " << t;
  }
}

TEST(NoiseSchedules, AlphaAndSigmaAreVariancePreservingAndMonotone) {
  for (const auto& type : noise_schedules().types()) {
    const auto schedule = noise_schedules().make(Component(type));
    double last_sigma = 0;
    for (double t = 0; t <= 999; t += 0.25) {
      const double alpha = schedule->alpha(t), sigma = schedule->sigma(t);
      EXPECT_NEAR(alpha * alpha + sigma * sigma, 1, 1e-12);
      EXPECT_GT(sigma, last_sigma) << type << " at t = " << t;
      last_sigma = sigma;
    }
  }
}

TEST(NoiseSchedules, LogSnrIsLinearBetweenTimesteps) {
  const auto schedule = noise_schedules().make(Component("linear"));
  const auto log_ratio = [&](double t) { return std::log(schedule->sigma(t) / schedule->alpha(t)); };
  EXPECT_NEAR(log_ratio(10.25), 0.75 * log_ratio(10) + 0.25 * log_ratio(11), 1e-12);
}

// In float32 the first product ends at 0, after which nothing is left to divide by; the second stays at 1.
TEST(NoiseSchedules, HoldStrongAndWeakNoise) {
  const auto strong = test::make_schedule({{"type", "linear"}, {"beta_end", 0.5}});
  EXPECT_GT(strong->alpha(999), 0);
  EXPECT_LT(strong->alpha(999), 1e-60);
  const auto weak = test::make_schedule({{"type", "linear"}, {"beta_start", 1e-9}});
  EXPECT_NEAR(weak->sigma(0) / std::sqrt(1e-9), 1, 1e-6);
}

TEST(NoiseSchedules, MayBeginWithoutNoiseAndEndWithoutSignal) {
  const auto schedule = make_beta_schedule(torch::tensor({0.0, 0.5, 1.0, 0.5}, at::kDouble));
  EXPECT_EQ(schedule->sigma(0), 0);
  EXPECT_EQ(schedule->alpha(0), 1);
  EXPECT_EQ(schedule->alpha(2), 0);
  EXPECT_EQ(schedule->sigma(3), 1);
  for (double t = 0; t <= 3; t += 0.25) {
    EXPECT_NEAR(std::pow(schedule->alpha(t), 2) + std::pow(schedule->sigma(t), 2), 1, 1e-12) << t;
  }
}

TEST(NoiseSchedules, RefuseABetaRangeThatFalls) {
  EXPECT_THROW(test::make_schedule({{"type", "linear"}, {"beta_start", 0.1}, {"beta_end", 0.01}}),
               ConfigError);
  EXPECT_THROW(test::make_schedule({{"type", "linear"}, {"beta_end", 1.0}}), ConfigError);
}

}  // namespace
}  // namespace gen
