// A training of a line over points, small enough to look at every step.
#pragma once

#include "gen/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "gen/core/signals.h"
#include "gen/io/checkpoint.h"
#include "support/partly_bad.h"
#include "support/support.h"
#include "train/sgd.h"
#include "train/train_session.h"

namespace gen {

// Points (i / 64, y).
struct Points : test::PartlyBad {
  explicit Points(int64_t size = 64, std::set<int64_t> bad = {}, BadExampleOptions options = {}, float y = 1)
      : PartlyBad(
            size, [y](int64_t index, HostRng*) { return torch::tensor({static_cast<float>(index) / 64, y}); },
            std::move(bad), options) {}
};

// Learns y = 2 x0 + noise by least squares; notes the first example of each batch. The loss of a batch with one of
// the `poison` examples is NaN in training.
struct LineModel final : Model {
  struct Net : torch::nn::Module {
    torch::nn::Linear line = register_module("line", torch::nn::Linear(2, 1));
    at::Tensor batches = register_buffer("batches", torch::zeros({1}));  // as a running statistic
  };
  std::shared_ptr<Net> net = std::make_shared<Net>();
  std::vector<int64_t> seen, poison;
  int64_t stop_at = -1;
  double validation_rises_by = 0;
  std::function<void(int64_t)> at_step;

  torch::nn::Module& module() override { return *net; }
  LossTerms loss(const Batch& batch, const StepContext& context) override {
    if (context.training) seen.push_back(batch.indices.front());
    if (context.training) net->batches.add_(1);
    if (context.training && context.step == stop_at) signals::request_stop();
    if (context.training && at_step) at_step(context.step);
    const auto target = 2 * batch.x.slice(1, 0, 1) + 0.01 * context.rng.normal({batch.size(), 1});
    auto total = (net->line(batch.x) - target).square().mean();
    const auto poisoned = [&](int64_t index) { return std::ranges::find(poison, index) != poison.end(); };
    if (context.training && std::ranges::any_of(batch.indices, poisoned)) total = total * NAN;
    if (!context.training) total = total + validation_rises_by * static_cast<double>(context.step);
    return {total, {{"squared_error", total.detach()}}};
  }
  Samples sample(const SampleRequest& request) override {
    SampleRng rng(request.seed, request.first_index, request.count);
    return {rng.normal({2}), {}, 1};
  }
};

class Trainer : public ::testing::Test {
 protected:
  void SetUp() override { signals::reset(); }
  void TearDown() override { signals::reset(); }

  Trainer() {
    experiment.name = "line";
    experiment.device = "cpu";
    experiment.model = Component("vae");
    experiment.data = Component("toy2d");
    experiment.train.optimizer = Component("sgd");
    experiment.train.steps = 8;
    experiment.train.batch_size = 4;
    experiment.train.shuffle = false;
    experiment.train.sample_count = 0;
    experiment.train.checkpoint_every = 0;
    experiment.train.log_every = 1;
  }

  TrainResult run(std::vector<int64_t> poison = {}, RunMode mode = RunMode::create) {
    torch::manual_seed(1);
    Session session;
    session.data = std::make_shared<Points>(num_examples, bad, bad_options, y);
    if (with_validation)
      session.validation = std::make_shared<Points>(num_validation, bad_validation, bad_options);
    auto owned = std::make_unique<LineModel>();
    model = owned.get();
    model->poison = std::move(poison);
    model->stop_at = stop_at;
    model->validation_rises_by = validation_rises_by;
    model->at_step = at_step;
    session.model = std::move(owned);
    session.optimizer =
        optimizers().make(experiment.train.optimizer, parameter_groups(session.model->module()));
    session.schedule = lr_schedules().make(experiment.train.lr_schedule);
    if (experiment.train.ema.enabled()) session.ema.emplace(session.model->module(), experiment.train.ema, 4);
    const RunDir folder = RunDir::open_for_training(temp / name, mode);
    const TrainResult result = train_session(experiment, folder, session, warm);
    seen = model->seen;
    batches = model->net->batches.item<double>();
    weights.clear();
    for (const auto& item : session.model->module().named_parameters())
      weights[item.key()] = item.value().detach().clone();
    return result;
  }
  std::vector<Json> metrics() const {
    std::vector<Json> lines;
    std::istringstream text(test::read_text(temp / "run" / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  std::vector<int64_t> checkpoint_steps() const {
    std::vector<int64_t> steps;
    for (const auto& each : list_checkpoints(temp / "run" / "checkpoints")) steps.push_back(each.step);
    return steps;
  }

  test::TempDir temp;
  ExperimentOptions experiment;
  bool with_validation = false;
  int64_t num_examples = 64, num_validation = 8;
  std::set<int64_t> bad, bad_validation;
  BadExampleOptions bad_options;
  int64_t stop_at = -1;
  double validation_rises_by = 0;
  float y = 1;
  std::string name = "run";
  WarmStart warm;
  std::function<void(int64_t)> at_step;
  LineModel* model = nullptr;
  std::vector<int64_t> seen;
  TensorMap weights;
  double batches = 0;  // what the module's buffer has counted
};

}  // namespace gen
