// What becomes of a training that ends in an error.
#pragma once

#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"

namespace gen {

/// To be called where an exception was caught: notes it in train.log and STATUS, closes the log, takes away the folder of a run
/// that never began, and throws it again, with what to do where that depends on the run. A resume that was refused leaves
/// STATUS to the run as it is.
[[noreturn]] void end_failed(const ExperimentOptions& experiment, const RunDir& run);

}  // namespace gen
