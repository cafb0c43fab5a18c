// The weights of a run that may be training meanwhile.
#pragma once

#include "gen/io/checkpoint.h"
#include "gen/train/trainer.h"

namespace gen {

/// Reads the weights of `checkpoint`, which `which` was found to mean, into loaded.model; of what `which` means now, where that
/// one was pruned meanwhile. `record`: what run.json says. Throws DataError.
void load_weights(const RunDir& run, const Json& record, const RunWeights& which, CheckpointInfo checkpoint,
                  LoadedRun& loaded);

}  // namespace gen
