#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/finite.h"
#include "gen/train/trainer.h"
#include "train/first_weights.h"
#include "train/gradients.h"
#include "train/non_finite.h"
#include "train/steps.h"

namespace gen {

double dry_run(const ExperimentOptions& experiment, const WarmStart& warm) {
  Session session(experiment);
  const auto loader = open_loader(session, experiment, 0);
  Json record;
  first_weights(experiment, session, warm, record);
  session.model->module().train();
  Rng rng = seed_step(experiment, session, 0);
  SkipLog skips(session);
  const Passes passes =
      run_passes(session, experiment.train, *loader, skips, {0, experiment.train.steps, true, rng});
  session.scaler.unscale_(gradients_of(*session.optimizer));
  session.optimizer->step(session.optimizer->learning_rate());
  const double loss = passes.loss.total.item<double>();
  if (!std::isfinite(loss))
    throw NumericalError(
        fmt::format("the first step's loss is {} (batch of examples {}); a lower learning rate does not help "
                    "before a step was taken: look at the data and the model's options",
                    non_finite_name(loss), first_few(passes.examples)));
  return loss;
}

}  // namespace gen
