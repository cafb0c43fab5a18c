// What a run folder says of its run: config.json and run.json.
#pragma once

#include <string>

#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"
#include "gen/train/trainer.h"
#include "train/session.h"

namespace gen {

/// run.json. Throws DataError naming the file and the field that is not as gen writes it; "data" is left to
/// data_spec_from_json.
Json read_record(const std::filesystem::path& file);
/// Hash of the resolved config.
std::string config_hash(const ExperimentOptions& experiment);

/// Holds config.json against what run.json says the run was trained with. Throws ConfigError naming what was edited where
/// that makes it another model or training; warns where it is only how long it trains, what it draws and the like.
void check_unedited(const RunDir& run);
/// Throws DataError, with `way_on` in parentheses, where a checkpoint with this state.json was not made by the run with this
/// run.json: by its config hash, which is that of none of the run's starts.
void refuse_another_runs(const RunDir& run, const CheckpointInfo& checkpoint, const Json& record,
                         const Json& state, const std::string& way_on);
/// What run.json will say of this start. Of a run that is resumed, refuses a config or data that would make it another
/// training (ConfigError naming what differs with both values, and the command that begins a new run from its weights); data
/// may differ while nothing is trained.
Json make_record(const RunDir& run, const ExperimentOptions& experiment, const Session& session);
/// Writes run.json, and config.json out of it.
void write_record(const RunDir& run, const Json& record);

}  // namespace gen
