// What becomes of a training whose folder goes away under it.
#pragma once

#include <string>

#include "gen/io/run_dir.h"
#include "train/progress.h"
#include "train/session.h"

namespace gen {

/// Saves what is in memory as a run that can be resumed, in a new folder RUN-rescued (or RUN-rescued-2, ...) beside `run`. Returns
/// what to tell: what happened to the folder, where the state is now, and the command that goes on; or that it could not
/// be saved.
std::string save_beside(const RunFolderGone& gone, const RunDir& run, const ExperimentOptions& experiment,
                        Session& session, const Progress& progress, const Json& record);

}  // namespace gen
