// What `gen sample` draws from held-out examples instead of from the prior.
#pragma once

#include <string>

#include "cli/sample_writer.h"
#include "gen/train/trainer.h"

namespace gen::cli {

/// Pictures of a row of mode "interpolate".
constexpr int64_t kStepsOfARow = 8;

/// mode "reconstruct": examples 0, 1, ... of eval.split, each followed by its reconstruction. "interpolate": rows of eight, from
/// example 2 r to example 2 r + 1 on the line between their codes. Writes sample.count pictures, rounded down to whole pairs
/// or rows (one at least); returns how many. Throws ConfigError where the model has no autoencoder or the split too few examples.
int64_t draw_from_data(LoadedRun& loaded, const std::string& mode, SampleWriter& writer);

}  // namespace gen::cli
