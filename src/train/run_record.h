// What a run folder says of its run: config.json, run.json, STATUS, summary.json.
#pragma once

#include <string>
#include <vector>

#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"
#include "train/session.h"

namespace gen {

/// Hash of the resolved config.
std::string config_hash(const ExperimentOptions& experiment);
/// JSON pointers at which two resolved configs differ, but for what may change between the parts of one run:
/// how long it trains, what it logs, keeps and draws, how many threads it uses, and where the data lie.
std::vector<std::string> conflicting_options(const Json& before, const Json& now);
/// Writes config.json and run.json into a new run. In one that is resumed, refuses a config that would make
/// it another model (ConfigError naming each pointer with both values), then notes the new start.
void record_start(const RunDir& run, const ExperimentOptions& experiment, const Session& session);

}  // namespace gen
