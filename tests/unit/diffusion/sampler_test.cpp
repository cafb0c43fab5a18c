#include "gen/diffusion/sampler.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/core/rng.h"
#include "gen/diffusion/parameterization.h"
#include "support/components.h"
#include "support/support.h"

namespace gen {
namespace {

// The model of diffusers' scheduler tests, F(x, t) = x t / (t + 1), and the times it was called at.
class DummyDenoiser final : public Denoiser {
 public:
  DummyDenoiser(const NoiseSchedule& schedule, PredictionType type) : schedule_(schedule), type_(type) {}
  at::Tensor operator()(const at::Tensor& x, double t) override {
    times.push_back(t);
    const auto c = preconditioning(type_, schedule_, t);
    const auto output = x * t / (t + 1);
    return x * c.c_skip + output * c.c_out;
  }
  std::vector<double> times;

 private:
  const NoiseSchedule& schedule_;
  PredictionType type_;
};

PredictionType prediction_type(const std::string& name) {
  for (const auto& [known, type] : kPredictionTypes)
    if (name == known) return type;
  throw std::runtime_error(name);
}

TEST(Samplers, FollowTheTrajectoriesOfDiffusers) {
  const Json golden = test::diffusers_samplers();
  for (const auto& expected : golden["trajectories"]) {
    SCOPED_TRACE(expected["sampler"].dump() + expected["noise_schedule"].dump());
    const auto schedule = test::make_schedule(expected["noise_schedule"]);
    const auto sampler = test::make_sampler(expected["sampler"]);
    DummyDenoiser denoise(*schedule, prediction_type(expected["prediction_type"]));
    at::Generator torch_generator = at::detail::createCPUGenerator(0);
    auto x = (torch::arange(768, at::kFloat) / 768).view({3, 8, 8, 4}).permute({3, 0, 1, 2});
    x = sampler->run(denoise, *schedule, x,
                     [&](const at::Tensor& like) { return torch::randn(like.sizes(), torch_generator); }, {});

    EXPECT_EQ(denoise.times.size(), static_cast<size_t>(sampler->evaluations(*schedule)));
    if (!expected["timesteps"].empty()) {
      EXPECT_EQ(Json(denoise.times), expected["timesteps"]);
    }
    const double sum_abs = x.abs().sum(at::kDouble).item<double>(), wanted = expected["sum_abs"];
    EXPECT_NEAR(sum_abs, wanted, 2e-5 * wanted);
    EXPECT_NEAR(sum_abs, expected["sum_abs_float32"].get<double>(), 5e-4 * wanted);
    const auto values = torch::tensor(expected["x"].get<std::vector<double>>(), at::kFloat);
    EXPECT_LT(test::max_abs_diff(x.flatten().slice(0, 0, std::nullopt, 96), values), 5e-5);
  }
}

// Believes in one clean image whatever it sees.
class ConstantDenoiser final : public Denoiser {
 public:
  ConstantDenoiser(double value, std::optional<double> bound) : value_(value), bound_(bound) {}
  at::Tensor operator()(const at::Tensor& x, double) override { return torch::full_like(x, value_); }
  std::optional<double> data_bound() const override { return bound_; }

 private:
  double value_;
  std::optional<double> bound_;
};

double sampled_value(const Json& options, std::optional<double> bound) {
  const auto schedule = test::make_schedule({{"type", "linear"}});
  ConstantDenoiser denoise(3, bound);
  SampleRng rng(0, 0, 1);
  const auto sampler = test::make_sampler(options);
  return sampler->run(denoise, *schedule, rng.normal({1}), row_noise(rng), {}).item<double>();
}

TEST(Samplers, ClipCleanDataWhereTheirRangeIsKnown) {
  for (const auto& type : samplers().types()) {
    Json options{{"type", type}, {"steps", 20}};
    EXPECT_NEAR(sampled_value(options, 1), 1, 1e-3) << type;
    EXPECT_NEAR(sampled_value(options, std::nullopt), 3, 1e-3) << type;
    options["clip_sample"] = false;
    EXPECT_NEAR(sampled_value(options, 1), 3, 1e-3) << type;
    options["clip_sample"] = true;
    options["clip_sample_range"] = 2.0;
    EXPECT_NEAR(sampled_value(options, std::nullopt), 2, 1e-3) << type;
  }
}

TEST(Samplers, RefuseMoreStepsThanTrainingTimesteps) {
  const auto schedule = test::make_schedule({{"type", "cosine"}, {"num_train_timesteps", 10}});
  ConstantDenoiser denoise(0, std::nullopt);
  SampleRng rng(0, 0, 1);
  for (const auto& type : samplers().types()) {
    const auto sampler = test::make_sampler({{"type", type}, {"steps", 11}});
    EXPECT_THROW(sampler->run(denoise, *schedule, rng.normal({1}), row_noise(rng), {}), ConfigError) << type;
  }
}

TEST(Samplers, RefuseAnOffsetThatTheSpacingWouldIgnore) {
  for (const auto& type : samplers().types())
    EXPECT_THROW(test::make_sampler({{"type", type}, {"timestep_spacing", "trailing"}, {"steps_offset", 1}}),
                 ConfigError)
        << type;
}

// Song et al. 2021, section 4.1: eta = 1 has the posterior's variance, so it is ddpm with fixed_small.
TEST(Samplers, DdimWithEtaOneIsDdpm) {
  const auto schedule = test::make_schedule({{"type", "linear"}});
  const auto run = [&](const Json& options) {
    DummyDenoiser denoise(*schedule, PredictionType::v_prediction);
    Rng rng(1);
    const auto noise = [&](const at::Tensor& like) { return rng.normal(like.sizes(), at::kDouble); };
    return test::make_sampler(options)->run(denoise, *schedule, rng.normal({4, 3}, at::kDouble), noise, {});
  };
  EXPECT_LT(test::max_abs_diff(run({{"type", "ddim"}, {"eta", 1.0}}), run({{"type", "ddpm"}, {"steps", 50}})),
            1e-9);
}

}  // namespace
}  // namespace gen
