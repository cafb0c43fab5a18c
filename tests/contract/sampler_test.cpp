// What every registered sampler must do, shown on Gaussian data, where the denoiser has a closed form.
#include "gen/diffusion/sampler.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "diffusion/beta_schedule.h"
#include "gen/diffusion/parameterization.h"
#include "support/components.h"
#include "support/support.h"

namespace gen {
namespace {

constexpr double kMean = 0.7, kStd = 0.5;

// E[x0 | x_t] for x0 ~ N(kMean, kStd^2).
class GaussianDenoiser final : public Denoiser {
 public:
  explicit GaussianDenoiser(const NoiseSchedule& schedule) : schedule_(schedule) {}
  at::Tensor operator()(const at::Tensor& x, double t) override {
    if (calls++ == 0) first_time = t;
    const double alpha = schedule_.alpha(t), sigma = schedule_.sigma(t);
    const double gain = alpha * kStd * kStd / (alpha * alpha * kStd * kStd + sigma * sigma);
    return kMean + gain * (x - alpha * kMean);
  }
  int64_t calls = 0;
  double first_time = 0;

 private:
  const NoiseSchedule& schedule_;
};

class EverySampler : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Sampler> sampler(int64_t steps) const {
    return test::make_sampler({{"type", GetParam()}, {"steps", steps}});
  }
  // `count` samples in double, all noise from one generator.
  at::Tensor draw(int64_t steps, int64_t count) const {
    GaussianDenoiser denoise(*schedule_);
    Rng rng(11);
    const auto noise = [&](const at::Tensor& like) { return rng.normal(like.sizes(), at::kDouble); };
    return sampler(steps)->run(denoise, *schedule_, rng.normal({count}, at::kDouble), noise, {});
  }
  // Error of the standard deviation, in units of it.
  double std_error(int64_t steps) const {
    return std::abs(draw(steps, 40'000).std().item<double>() / kStd - 1);
  }

  std::unique_ptr<NoiseSchedule> schedule_ = noise_schedules().make(Component("linear"));
};

TEST_P(EverySampler, HasTheMomentsOfTheData) {
  const auto x = draw(250, 40'000);
  EXPECT_NEAR(x.mean().item<double>(), kMean, 0.015);
  EXPECT_NEAR(x.std().item<double>(), kStd, 0.015);
}

TEST_P(EverySampler, ErrsLessWithMoreSteps) {
  const double few = std_error(10), more = std_error(40), many = std_error(250);
  EXPECT_GT(few, 2 * more);
  EXPECT_GT(more, many);
}

TEST_P(EverySampler, CallsTheDenoiserAsOftenAsDeclaredAndReportsEachStep) {
  GaussianDenoiser denoise(*schedule_);
  SampleRng rng(0, 0, 2);
  const auto solver = sampler(17);
  std::vector<int64_t> done;
  const auto progress = [&](int64_t step, int64_t total) {
    done.push_back(step);
    EXPECT_GE(total, step);
    if (step == total) {
      EXPECT_EQ(denoise.calls, solver->evaluations(*schedule_));
    }
  };
  solver->run(denoise, *schedule_, rng.normal({3}), row_noise(rng), progress);
  EXPECT_EQ(denoise.calls, solver->evaluations(*schedule_));
  ASSERT_FALSE(done.empty());
  for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i], static_cast<int64_t>(i) + 1);
}

TEST_P(EverySampler, GivesARowTheSameInEveryBatch) {
  const auto rows = [&](int64_t first, int64_t count) {
    GaussianDenoiser denoise(*schedule_);
    SampleRng rng(5, first, count);
    const auto x = rng.normal({2, 3});
    return sampler(12)->run(denoise, *schedule_, x, row_noise(rng), {});
  };
  EXPECT_TRUE(torch::equal(rows(0, 5).slice(0, 1, 3), rows(1, 2)));
  EXPECT_FALSE(torch::equal(rows(0, 1), rows(1, 1)));
}

TEST_P(EverySampler, LeavesItsInputAlone) {
  GaussianDenoiser denoise(*schedule_);
  SampleRng rng(5, 0, 2);
  const auto x = rng.normal({4});
  const auto before = x.clone();
  sampler(5)->run(denoise, *schedule_, x, row_noise(rng), {});
  EXPECT_TRUE(torch::equal(x, before));
}

// A schedule that begins without noise and ends without signal, for a denoiser of data that are one number: where the
// mathematics has a limit, the solvers find it.
TEST_P(EverySampler, WalksFromNoiseAloneToNoNoiseAtAll) {
  class Known final : public Denoiser {
   public:
    at::Tensor operator()(const at::Tensor& x, double) override { return torch::full_like(x, kMean); }
  };
  const auto schedule =
      make_beta_schedule(torch::tensor({0.0, 1e-4, 0.1, 0.3, 0.5, 0.9, 1.0, 1.0}, at::kDouble));
  for (const char* spacing : {"leading", "trailing"})
    for (const double eta : {0.0, 1.0}) {
      Json options{{"type", GetParam()}, {"steps", 8}, {"timestep_spacing", spacing}};
      if (GetParam() == "ddim") options["eta"] = eta;
      Known denoise;
      Rng rng(3);
      const auto noise = [&](const at::Tensor& like) { return rng.normal(like.sizes()); };
      const auto x = test::make_sampler(options)->run(denoise, *schedule, rng.normal({5}), noise, {});
      EXPECT_LT(test::max_abs_diff(x, torch::full({5}, kMean)), 1e-5) << options;
    }
}

// The network predicts the noise, which says nothing of data under noise alone; clipped data bound what it can do.
TEST_P(EverySampler, StaysFiniteWhereNoiseIsPredictedUnderAllButNoSignal) {
  class Silent final : public Denoiser {
   public:
    explicit Silent(const NoiseSchedule& schedule) : schedule_(schedule) {}
    at::Tensor operator()(const at::Tensor& x, double t) override {
      const auto c = preconditioning(PredictionType::epsilon, schedule_, t);
      return (x * c.c_skip).add_(0.9 * x, c.c_out);
    }
    std::optional<double> data_bound() const override { return 1; }

   private:
    const NoiseSchedule& schedule_;
  };
  for (const double beta_end : {0.3, 0.5, 0.99}) {
    const auto schedule = test::make_schedule({{"type", "linear"}, {"beta_end", beta_end}});
    Silent denoise(*schedule);
    SampleRng rng(1, 0, 4);
    const auto x = sampler(50)->run(denoise, *schedule, rng.normal({3}), row_noise(rng), {});
    EXPECT_TRUE(x.isfinite().all().item<bool>()) << beta_end;
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, EverySampler, testing::ValuesIn(samplers().types()),
                         [](const auto& each) { return each.param; });

// The probability-flow ODE carries N(0, 1)-like noise to data along straight quantiles, so its end is known
// exactly.
TEST(DdimSampler, ConvergesWithOrderOne) {
  const auto schedule = noise_schedules().make(Component("linear"));
  const auto error = [&](int64_t steps) {
    GaussianDenoiser denoise(*schedule);
    const auto x = torch::linspace(-2, 2, 9, at::kDouble);
    const auto no_noise = [](const at::Tensor& like) { return torch::full_like(like, NAN); };
    const auto end =
        test::make_sampler({{"type", "ddim"}, {"steps", steps}, {"timestep_spacing", "trailing"}})
            ->run(denoise, *schedule, x, no_noise, {});
    const double alpha = schedule->alpha(denoise.first_time), sigma = schedule->sigma(denoise.first_time);
    const auto quantile = (x - alpha * kMean) / std::sqrt(alpha * alpha * kStd * kStd + sigma * sigma);
    return test::max_abs_diff(end, kMean + kStd * quantile);
  };
  const double order = std::log2(error(20) / error(80)) / 2;
  EXPECT_GT(order, 0.8);
  EXPECT_LT(order, 1.3);
  EXPECT_LT(error(500), 0.01);
}

}  // namespace
}  // namespace gen
