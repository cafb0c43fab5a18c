#include "train/statistics.h"

#include "gen/data/loader.h"
#include "gen/nn/running_statistics.h"

namespace gen {
namespace {

// As many as a momentum of 0.1 effectively averages over (2 / 0.1 - 1 = 19), and some more.
constexpr int64_t kBatches = 32;

std::vector<RunningStatistics*> layers_of(const torch::nn::Module& module) {
  std::vector<RunningStatistics*> layers;
  for (const auto& each : module.modules())
    if (auto* layer = dynamic_cast<RunningStatistics*>(each.get())) layers.push_back(layer);
  return layers;
}

/// Gives the layers their own momentum back, also where a batch cannot be read.
struct MomentumScope {
  const std::vector<RunningStatistics*>& layers;
  void set(double momentum) const {
    for (auto* layer : layers) layer->set_momentum(momentum);
  }
  ~MomentumScope() {
    for (auto* layer : layers) layer->set_momentum(std::nullopt);
  }
};

}  // namespace

void recompute_statistics(Session& session, const ExperimentOptions& experiment) {
  torch::nn::Module& module = session.model->module();
  const auto layers = layers_of(module);
  if (layers.empty()) return;
  const at::NoGradGuard no_grad;
  module.train();
  const auto seed = static_cast<uint64_t>(experiment.seed);
  seed_default_generators(derive_seed(seed, Stream::statistics, 0, 1));
  Rng rng(derive_seed(seed, Stream::statistics), session.device);
  const auto loader = open_loader(session, experiment, 0);
  const MomentumScope scope{layers};
  const int64_t batches = std::min(kBatches, loader->batches_per_epoch());
  for (int64_t n = 0; n < batches; ++n) {
    scope.set(1 / static_cast<double>(n + 1));
    session.model->loss(loader->next().to(session.device),
                        {.step = 0, .total_steps = experiment.train.steps, .training = true, .rng = rng});
  }
}

}  // namespace gen
