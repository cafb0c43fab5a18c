// Which checkpoint of a run is meant (choose_checkpoint, best_checkpoint), and why there is none.
#pragma once

#include <functional>
#include <string>

#include "gen/io/checkpoint.h"
#include "gen/io/run_dir.h"
#include "gen/train/trainer.h"

namespace gen {

/// "ema" where the checkpoint has averaged weights and `raw` does not ask for the others, else "model".
std::string weights_name(const CheckpointInfo& checkpoint, bool raw);

/// Why a run has no checkpoint for a purpose: "no checkpoint yet", its folder is gone, or what is wrong with each, which
/// `problem` tells.
std::string why_no_checkpoint(const RunDir& run,
                              const std::function<std::string(const CheckpointInfo&)>& problem);

}  // namespace gen
