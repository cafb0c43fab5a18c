// Leaving a training because of an example that cannot be read, so that nothing done before it is lost.
#pragma once

#include <string>

#include "gen/data/bad_examples.h"
#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"

namespace gen {

/// The error with what a user needs beside it: at which step the checkpoint is (-1: there is none), why none was saved
/// now (empty: it was), and how to go on with the run, or to begin it where not even that could be written.
ExampleError with_way_on(const ExampleError& error, const ExperimentOptions& experiment, const RunDir& run,
                         int64_t checkpoint_step, const std::string& refusal);

}  // namespace gen
