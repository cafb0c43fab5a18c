// The data of a run, as they are now.
#pragma once

#include <memory>

#include "gen/data/dataset.h"
#include "gen/train/trainer.h"

namespace gen::cli {

/// The split that eval.split names, with at least one example. Throws ConfigError where nothing was held out for it,
/// DataError where the data are no longer those that the run was trained on.
std::unique_ptr<Dataset> open_split(const LoadedRun& loaded);

}  // namespace gen::cli
