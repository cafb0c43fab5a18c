// What a run begins at.
#pragma once

#include "gen/config/json.h"
#include "gen/train/trainer.h"
#include "train/session.h"

namespace gen {

/// The first weights of a run: those of another, or drawn from the seed and the data.
/// `record`, run.json's, is told where they came from. Throws ExampleError where the first batch cannot be read.
void first_weights(const ExperimentOptions& experiment, Session& session, const WarmStart& warm,
                   Json& record);

}  // namespace gen
