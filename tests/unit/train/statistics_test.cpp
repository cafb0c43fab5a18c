#include "train/statistics.h"

#include <gtest/gtest.h>

#include "gen/data/loader.h"
#include "gen/nn/network.h"
#include "support/support.h"
#include "train/validation.h"

namespace gen {
namespace {

constexpr int64_t kPointsOfFlow = 256;

ExperimentOptions normalized_flow() {
  const auto config = Json::parse(R"({
    "device": "cpu",
    "model": {"type": "flow", "architecture": {"type": "sequence", "bijectors": [
      {"type": "affine_coupling", "network": {"type": "mlp", "hidden_sizes": [8]}}, {"type": "batch_norm"},
      {"type": "affine_coupling", "swap": true, "network": {"type": "mlp", "hidden_sizes": [8]}},
      {"type": "batch_norm"}]}},
    "data": {"type": "toy2d", "num_examples": 256, "num_held_out": 8},
    "train": {"steps": 2, "batch_size": 64, "ema": {"decay": 0.9}}})");
  Issues issues;
  ExperimentOptions experiment;
  load(Document::from_json(config, "test"), experiment, issues);
  issues.throw_if_any();
  return experiment;
}

/// The raw weights go elsewhere than their average, and the running statistics with them.
void move_raw_weights(Session& session) {
  const at::NoGradGuard no_grad;
  Rng rng(3);
  for (auto& parameter : session.model->module().parameters())
    parameter.add_(rng.normal(parameter.sizes()), 0.5);
  for (auto& buffer : session.model->module().buffers()) buffer.fill_(5);
}

TensorMap copied_tensors(const TensorMap& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.clone();
  return copies;
}

double loss_of_all_points(Session& session, bool training) {
  Rng rng(1);
  session.model->module().train(training);
  const Batch all = read_batch(*session.data, 0, kPointsOfFlow);
  return session.model->loss(all, {.training = training, .rng = rng}).total.item<double>();
}

TEST(Statistics, OfAveragedWeightsAreThoseOfTheirOwnActivations) {
  const auto experiment = normalized_flow();
  Session session(experiment);
  {
    const at::NoGradGuard no_grad;  // networks start as zero: let the average be no identity
    Rng rng(2);
    for (auto& parameter : session.model->module().parameters())
      parameter.add_(rng.normal(parameter.sizes()), 0.3);
    session.start_average(experiment.train);
  }
  move_raw_weights(session);
  const TensorMap raw = copied_tensors(state_of(session.model->module()));
  {
    const EvaluationScope scope(session, experiment);
    EXPECT_FALSE(session.model->module().is_training());
    const double evaluation = loss_of_all_points(session, /*training=*/false);
    EXPECT_NEAR(evaluation, loss_of_all_points(session, /*training=*/true), 0.05);
  }
  for (const auto& [name, tensor] : state_of(session.model->module()))
    EXPECT_TRUE(torch::equal(tensor, raw.at(name))) << name << " of the raw weights has changed";
}

TEST(Statistics, AreAFunctionOfTheWeightsAlone) {
  const auto experiment = normalized_flow();
  Session session(experiment);
  const auto evaluated = [&] {
    {
      const EvaluationScope scope(session, experiment);
    }
    return copied_tensors(session.ema->state());
  };
  const TensorMap once = evaluated();
  EXPECT_TRUE(session.ema->has_statistics());
  session.ema->load_state(once);
  EXPECT_FALSE(session.ema->has_statistics());
  move_raw_weights(session);
  for (const auto& [name, tensor] : evaluated()) EXPECT_TRUE(torch::equal(tensor, once.at(name))) << name;
  session.ema->update(0);
  EXPECT_FALSE(session.ema->has_statistics());
}

}  // namespace
}  // namespace gen
