// Running statistics (batch normalisation) that fit the averaged weights.
#pragma once

#include "train/session.h"

namespace gen {

/// Computes the running statistics anew for the weights at hand: means over the first batches of training, up to 32, as
/// Izmailov et al. 2018 (section 3.2) do for averaged weights, whose own were never tracked. A function of the weights, the
/// data and the experiment alone. Leaves the module in training mode; does nothing where it keeps no such statistics.
void recompute_statistics(Session& session, const ExperimentOptions& experiment);

}  // namespace gen
