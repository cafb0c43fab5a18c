// train() over parts that are already built.
#pragma once

#include "gen/train/trainer.h"
#include "train/session.h"

namespace gen {

/// As train(), without its log file and its note of a failure.
TrainResult train_session(const ExperimentOptions& experiment, const RunDir& run, Session& session,
                          const WarmStart& warm = {});

}  // namespace gen
