// What to do about a step whose loss or gradients are not finite (train.nan_policy).
#pragma once

#include <string>
#include <vector>

#include "train/checkpointer.h"

namespace gen {

/// "nan", whatever its sign, "inf" or "-inf".
const char* non_finite_name(double value);
/// "the loss is nan (batch of examples 5, 9, ...; gradients not finite: a, b, ...; newest checkpoint: step 12)".
std::string describe_non_finite(const Session& session, double loss, const std::vector<int64_t>& examples,
                                const Checkpointer& checkpoints);
/// Counts the step, whose number is that of metrics.jsonl, against the budget and warns; throws NumericalError where the policy is `error` or the
/// budget is spent.
void spend_non_finite_step(Progress& progress, const TrainOptions& options, const std::string& description);
/// Back to the newest checkpoint, with the data going on after the batch that failed. Throws NumericalError
/// where there is no checkpoint to go back to.
void roll_back(Checkpointer& checkpoints, Progress& progress, const TrainOptions& options);

}  // namespace gen
