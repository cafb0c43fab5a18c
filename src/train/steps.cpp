#include "train/steps.h"

#include <cmath>

#include "gen/core/check.h"
#include "gen/core/signals.h"
#include "train/buffers_of_a_step.h"
#include "train/gradients.h"
#include "train/non_finite.h"

namespace gen {
namespace {

/// Batches used once `progress` is reached: the loader's position.
int64_t data_position(const Progress& progress, const TrainOptions& options) {
  return progress.step * options.gradient_accumulation + progress.skipped_batches;
}

/// Loss and gradient norm on the host, in one wait for the device.
std::pair<double, double> to_host(const at::Tensor& loss, const at::Tensor& norm) {
  if (loss.is_cpu()) return {loss.item<double>(), norm.item<double>()};
  const at::Tensor both = at::stack({loss.to(at::kDouble), norm.to(at::kDouble)}).cpu();
  return {both[0].item<double>(), both[1].item<double>()};
}

/// sum += part, term by term; the passes of a step give the same terms.
void accumulate(LossTerms& sum, const LossTerms& part) {
  if (!sum.total.defined()) {
    sum = part;
    return;
  }
  GEN_CHECK(sum.terms.size() == part.terms.size(), "{} terms of a loss after {}", part.terms.size(),
            sum.terms.size());
  sum.total = sum.total + part.total;
  for (size_t k = 0; k < sum.terms.size(); ++k)
    sum.terms[k].second = sum.terms[k].second + part.terms[k].second;
}

/// Clip -> step -> EMA, in one pass over memory where the optimizer has one.
void update_weights(Session& session, const TrainOptions& options, const std::vector<at::Tensor>& gradients,
                    double grad_norm, double learning_rate, int64_t update) {
  const bool clips = options.clip_grad_norm > 0;
  FusedStep step{learning_rate, clips ? clip_factor(grad_norm, options.clip_grad_norm) : 1.0};
  if (session.ema) {
    step.average_weight = session.ema->weight(update);
    step.take_average = [&](const at::Tensor& parameter) { return session.ema->take(parameter); };
  }
  if (!session.optimizer->fused_step(step)) {
    if (clips) clip_to_norm_(gradients, grad_norm, options.clip_grad_norm);
    session.optimizer->step(learning_rate);
  }
  if (session.ema) session.ema->update(update);
}

/// Whether a step may be left out after a forward pass: an example of a later pass cannot be read, or its gradients are not
/// finite.
bool may_not_count(const TrainOptions& options, const LossScaler& scaler) {
  return options.gradient_accumulation > 1 || options.nan_policy != NanPolicy::error || scaler.active();
}

}  // namespace

bool is_finished(const Progress& progress, const TrainOptions& options) {
  return progress.step >= options.steps || out_of_patience(progress, options.early_stop.patience);
}

Rng seed_step(const ExperimentOptions& experiment, const Session& session, int64_t step) {
  const auto seed = static_cast<uint64_t>(experiment.seed);
  seed_default_generators(derive_seed(seed, Stream::dropout, static_cast<uint64_t>(step)));
  return Rng(derive_seed(seed, Stream::noise, static_cast<uint64_t>(step)), session.device);
}

Passes run_passes(Session& session, const TrainOptions& options, Loader& loader, SkipLog& skips,
                  const StepContext& context) {
  Passes passes;
  const auto count = static_cast<double>(options.gradient_accumulation);
  for (int64_t i = 0; i < options.gradient_accumulation; ++i) {
    const Batch batch = loader.next().to(session.device);
    skips.add(context.step + 1, Split::train, batch.skipped);
    LossTerms part;
    {
      const AutocastGuard autocast(options.precision, session.device);
      part = session.model->loss(batch, context);
    }
    if (count > 1) {
      part.total = part.total / count;
      for (auto& [name, value] : part.terms) value = value / count;
    }
    session.scaler.scaled(part.total).backward();
    part.total = part.total.detach();
    accumulate(passes.loss, part);
    passes.examples = batch.indices;
  }
  return passes;
}

void run_steps(const ExperimentOptions& experiment, Session& session, Checkpointer& checkpoints,
               Progress& progress, SkipLog& skips, Hooks& hooks) {
  const TrainOptions& options = experiment.train;
  auto loader = open_loader(session, experiment, data_position(progress, options));
  session.model->module().train();
  hooks.catch_up();
  while (!is_finished(progress, options) && !signals::stop_requested()) {
    const int64_t step = progress.step;
    Rng rng = seed_step(experiment, session, step);

    session.optimizer->zero_grad();
    BuffersOfAStep buffers(session.model->module(), may_not_count(options, session.scaler));
    const Passes passes =
        run_passes(session, options, *loader, skips, {step, options.steps, /*training=*/true, rng});

    const auto gradients = gradients_of(*session.optimizer);
    session.scaler.unscale_(gradients);
    const auto [loss, grad_norm] = to_host(passes.loss.total, global_norm(gradients));
    const double learning_rate =
        session.optimizer->learning_rate() * session.schedule->factor(step, options.steps);
    const bool finite = std::isfinite(loss) && std::isfinite(grad_norm);

    if (finite) {
      buffers.keep();
      session.scaler.update(/*overflowed=*/false);
      update_weights(session, options, gradients, grad_norm, learning_rate, progress.updates);
      ++progress.updates;
    } else if (!(std::isfinite(loss) && session.scaler.active() &&
                 session.scaler.update(/*overflowed=*/true))) {
      spend_non_finite_step(progress, options,
                            describe_non_finite(session, loss, passes.examples, checkpoints));
      if (options.nan_policy == NanPolicy::rollback) {
        buffers.keep();  // the checkpoint's are taken
        roll_back(checkpoints, progress, options);
        hooks.rewind();
        loader = open_loader(session, experiment, data_position(progress, options));
        continue;
      }
    }
    ++progress.step;
    hooks.after_step({passes.loss, loss, grad_norm, learning_rate, finite});
  }
}

}  // namespace gen
