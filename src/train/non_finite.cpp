#include "train/non_finite.h"

#include <cmath>

#include "gen/core/error.h"
#include "gen/core/finite.h"
#include "gen/core/log.h"
#include "train/gradients.h"

namespace gen {

const char* non_finite_name(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

std::string describe_non_finite(const Session& session, double loss, const std::vector<int64_t>& examples,
                                const Checkpointer& checkpoints) {
  const auto names = non_finite_gradients(*session.optimizer);
  std::string text = std::isfinite(loss) ? "the gradient is not finite"
                                         : fmt::format("the loss is {}", non_finite_name(loss));
  text += fmt::format(" (batch of examples {}", first_few(examples));
  if (!names.empty()) text += fmt::format("; gradients not finite: {}", first_few(names));
  return text + (checkpoints.saved_step() >= 0
                     ? fmt::format("; newest checkpoint: step {})", checkpoints.saved_step())
                     : "; no checkpoint yet)");
}

void spend_non_finite_step(Progress& progress, const TrainOptions& options, const std::string& description) {
  const std::string what = fmt::format("step {}: {}", progress.step + 1, description);
  if (options.nan_policy == NanPolicy::error)
    throw NumericalError(
        what +
        "; a lower learning rate, train.clip_grad_norm, or train.nan_policy skip or rollback "
        "may get past it");
  if (++progress.non_finite_steps > options.nan_budget)
    throw NumericalError(
        fmt::format("{}; train.nan_budget of {} such steps is spent", what, options.nan_budget));
  log::warning("{}; {}, {} of {} such steps", what,
               options.nan_policy == NanPolicy::skip ? "left out" : "rolling back", progress.non_finite_steps,
               options.nan_budget);
}

void roll_back(Checkpointer& checkpoints, Progress& progress, const TrainOptions& options) {
  const Progress failed = progress;
  if (!checkpoints.restore(progress))
    throw NumericalError(
        fmt::format("step {}: there is no valid checkpoint to roll back to", failed.step + 1));
  progress.non_finite_steps = failed.non_finite_steps;
  progress.skipped_batches =
      failed.skipped_batches + (failed.step + 1 - progress.step) * options.gradient_accumulation;
}

}  // namespace gen
