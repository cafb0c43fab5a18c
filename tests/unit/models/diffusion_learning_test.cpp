// A whole training of a diffusion, against what is known of the best one.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/models/model.h"
#include "support/components.h"
#include "support/data_specs.h"
#include "support/support.h"

namespace gen {
namespace {

// Of points N(m, s^2 I) the best velocity is known, and with it the least loss that any network can have:
// E Var(v | x_t) = mean over t of s^2 / (alpha_t^2 s^2 + sigma_t^2).
struct LearnedCluster {
  double excess = 0;  // of the loss over the least one: E |v - v*|^2
  double mean_error = 0, std_dev = 0;
};

LearnedCluster learn_cluster(uint64_t seed) {
  constexpr double s = 0.1;
  const Json schedule{{"type", "cosine"}, {"num_train_timesteps", 50}};
  const auto m = torch::tensor({1.0F, -1.0F});
  torch::manual_seed(seed);
  const Json options{{"type", "diffusion"},
                     {"network", {{"type", "mlp"}, {"hidden_size", 32}, {"num_layers", 2}}},
                     {"noise_schedule", schedule},
                     {"prediction_type", "v_prediction"}};
  auto model = models().make(test::component_of(models(), options), test::points(2));
  torch::optim::Adam optimizer(model->module().parameters(), 5e-3);
  Rng rng(seed + 1);
  const auto loss_of = [&](int64_t count, int64_t step) {
    Batch batch;
    batch.x = m + s * rng.normal({count, 2});
    return model->loss(batch, {.step = step, .rng = rng}).total;
  };
  for (int64_t step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    loss_of(128, step).backward();
    optimizer.step();
  }
  double least = 0;
  const auto times = test::make_schedule(schedule);
  for (double t = 0; t < 50; ++t)
    least += s * s / (std::pow(times->alpha(t) * s, 2) + std::pow(times->sigma(t), 2)) / 50;
  const torch::NoGradGuard no_grad;
  SampleRequest request;
  request.count = 256;
  const auto x = model->sample(request).x;
  return {loss_of(16384, 300).item<double>() - least, test::max_abs_diff(x.mean(0), m),
          x.std(0).max().item<double>()};
}

// Predicted as velocities: the noise, at the end of a cosine schedule, says so little of the points that the smallest error of
// the network moves the samples, by as much as the seed decides.
TEST(Diffusion, LearnsPointsWithAnMlp) {
  for (const uint64_t seed : {0, 1, 2}) {
    const auto learned = learn_cluster(seed);
    EXPECT_LT(learned.excess, 0.05) << seed;
    EXPECT_GT(learned.excess, -0.02) << "no network can do better: " << seed;
    EXPECT_LT(learned.mean_error, 0.2) << seed;
    EXPECT_LT(learned.std_dev, 0.3) << seed;
  }
}

}  // namespace
}  // namespace gen
