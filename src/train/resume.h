// What a run that is resumed goes on from.
#pragma once

#include "train/checkpointer.h"

namespace gen {

/// Whether the run ever finished a checkpoint, or holds one.
bool made_checkpoints(const RunDir& run);

/// Loads what a resume goes on from; false where the run made no checkpoint yet. A run that lost its checkpoints is
/// refused, because beginning anew would cut its metrics: DataError saying what is wrong with each checkpoint, and the
/// command that begins a new run from the weights.
bool go_on(const RunDir& run, const Session& session, Checkpointer& checkpoints, Progress& progress);

}  // namespace gen
