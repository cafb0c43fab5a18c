// The steps of a training.
#pragma once

#include <vector>

#include "gen/data/loader.h"
#include "train/hooks.h"
#include "train/skip_log.h"

namespace gen {

/// Whether nothing is left to train: the last step is reached, or the patience is spent.
bool is_finished(const Progress& progress, const TrainOptions& options);

/// What a step draws from: torch's default generators for dropout, the Rng for the loss.
Rng seed_step(const ExperimentOptions& experiment, const Session& session, int64_t step);

struct Passes {
  LossTerms loss;                 ///< means over the passes, without graph
  std::vector<int64_t> examples;  ///< of the last batch
};
/// The forward and backward passes of one step; gradients are left in the parameters. Throws ExampleError.
Passes run_passes(Session& session, const TrainOptions& options, Loader& loader, SkipLog& skips,
                  const StepContext& context);

/// The loop: passes -> norm -> finite? -> clip -> step -> EMA -> hooks. Ends at the last step, at an early
/// stop, or when a signal asks.
void run_steps(const ExperimentOptions& experiment, Session& session, Checkpointer& checkpoints,
               Progress& progress, SkipLog& skips, Hooks& hooks);

}  // namespace gen
