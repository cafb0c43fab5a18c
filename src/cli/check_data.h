// gen check --data: every example of every split, read once.
#pragma once

#include "gen/core/error.h"
#include "gen/train/experiment.h"

namespace gen::cli {

/// Tells those that cannot be read as they are found, and how many there are of how many. Returns `data` where there are
/// any, or a split cannot be opened. Where the data set knows data.on_error it is to be "skip": one that checks all
/// records as it is opened would refuse to be.
ExitCode check_data(const ExperimentOptions& experiment, bool json, bool quiet);

}  // namespace gen::cli
