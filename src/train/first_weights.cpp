#include "train/first_weights.h"

#include <nlohmann/json.hpp>

#include "train/warm_start.h"

namespace gen {
namespace {

/// Data-dependent initialisation with the first batch; the average begins at what it sets.
void initialize(const ExperimentOptions& experiment, Session& session) {
  const at::NoGradGuard no_grad;
  Rng rng(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::data_init), session.device);
  session.model->initialize(open_loader(session, experiment, 0)->next().to(session.device), rng);
  session.start_average(experiment.train);
}

}  // namespace

void first_weights(const ExperimentOptions& experiment, Session& session, const WarmStart& warm,
                   Json& record) {
  if (!warm.source.empty())
    record["init_from"] = begin_at(warm, *session.model);
  else if (record.contains("init_from"))
    begin_again_at(record["init_from"], *session.model);
  else
    return initialize(experiment, session);
  session.start_average(experiment.train);
}

}  // namespace gen
