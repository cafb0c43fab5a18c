// What a run that goes on from a step leaves of the steps that it is to take again.
#pragma once

#include <cstdint>

#include "gen/io/run_dir.h"

namespace gen {

/// Drops, of later steps than `step`, the grids in RUN/samples that training drew and the progress lines of train.log
/// (warnings and errors stay: they tell why it goes on from there). metrics.jsonl, skipped.jsonl and the events look
/// after themselves. What cannot be dropped is a warning.
void forget_later_steps(const RunDir& run, int64_t step);

}  // namespace gen
