#include "gen/train/trainer.h"

#include <cmath>
#include <new>
#include <string_view>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/signals.h"
#include "gen/core/units.h"
#include "gen/data/loader.h"
#include "gen/io/checkpoint.h"
#include "train/bad_example.h"
#include "train/gradients.h"
#include "train/hooks.h"
#include "train/non_finite.h"
#include "train/run_record.h"
#include "train/train_session.h"

namespace gen {
namespace {

std::unique_ptr<Loader> open_loader(const Session& session, const ExperimentOptions& experiment,
                                    int64_t position) {
  LoaderOptions options;
  options.batch_size = experiment.train.batch_size;
  options.shuffle = experiment.train.shuffle;
  options.workers = experiment.train.data_workers;
  options.seed = derive_seed(static_cast<uint64_t>(experiment.seed), Stream::data);
  return std::make_unique<Loader>(session.data, options, position);
}

/// Batches used once `progress` is reached: the loader's position.
int64_t data_position(const Progress& progress, const TrainOptions& options) {
  return progress.step * options.gradient_accumulation + progress.skipped_batches;
}

bool is_finished(const Progress& progress, const TrainOptions& options) {
  return progress.step >= options.steps || out_of_patience(progress, options.early_stop.patience);
}

/// Loss and gradient norm on the host, in one wait for the device.
std::pair<double, double> to_host(const at::Tensor& loss, const at::Tensor& norm) {
  if (loss.is_cpu()) return {loss.item<double>(), norm.item<double>()};
  const at::Tensor both = at::stack({loss.to(at::kDouble), norm.to(at::kDouble)}).cpu();
  return {both[0].item<double>(), both[1].item<double>()};
}

/// The forward and backward passes of one step; gradients are left in the parameters. Throws ExampleError, with the
/// model as it was.
struct Passes {
  LossTerms last;
  at::Tensor total;               // mean over the passes
  std::vector<int64_t> examples;  // of the last batch
};
Passes run_passes(Session& session, const TrainOptions& options, Loader& loader, SkipLog& skips,
                  const StepContext& context) {
  Passes passes;
  BuffersOfAStep buffers(session.model->module(), options.gradient_accumulation > 1);
  const auto count = static_cast<double>(options.gradient_accumulation);
  for (int64_t i = 0; i < options.gradient_accumulation; ++i) {
    const Batch batch = loader.next().to(session.device);
    skips.add(context.step + 1, Split::train, batch.skipped);
    {
      const AutocastGuard autocast(options.precision, session.device);
      passes.last = session.model->loss(batch, context);
    }
    const at::Tensor part = count == 1 ? passes.last.total : passes.last.total / count;
    session.scaler.scaled(part).backward();
    passes.total = passes.total.defined() ? passes.total + part.detach() : part.detach();
    passes.examples = batch.indices;
  }
  buffers.keep();
  return passes;
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

/// The loop: passes -> norm -> finite? -> clip -> step -> EMA -> hooks. Ends at the last step, at an early
/// stop, or when a signal asks.
void run_steps(const ExperimentOptions& experiment, Session& session, Checkpointer& checkpoints,
               Progress& progress, SkipLog& skips, Hooks& hooks) {
  const TrainOptions& options = experiment.train;
  const auto seed = static_cast<uint64_t>(experiment.seed);
  auto loader = open_loader(session, experiment, data_position(progress, options));
  session.model->module().train();
  hooks.catch_up();
  while (!is_finished(progress, options) && !signals::stop_requested()) {
    const int64_t step = progress.step;
    seed_default_generators(derive_seed(seed, Stream::dropout, static_cast<uint64_t>(step)));
    Rng rng(derive_seed(seed, Stream::noise, static_cast<uint64_t>(step)), session.device);

    session.optimizer->zero_grad();
    const Passes passes =
        run_passes(session, options, *loader, skips, {step, options.steps, /*training=*/true, rng});

    const auto gradients = gradients_of(*session.optimizer);
    session.scaler.unscale_(gradients);
    const auto [loss, grad_norm] = to_host(passes.total, global_norm(gradients));
    const double learning_rate =
        session.optimizer->learning_rate() * session.schedule->factor(step, options.steps);
    const bool finite = std::isfinite(loss) && std::isfinite(grad_norm);

    if (finite) {
      session.scaler.update(/*overflowed=*/false);
      update_weights(session, options, gradients, grad_norm, learning_rate, progress.updates);
      ++progress.updates;
    } else if (!(std::isfinite(loss) && session.scaler.active() &&
                 session.scaler.update(/*overflowed=*/true))) {
      spend_non_finite_step(progress, options,
                            describe_non_finite(session, loss, passes.examples, checkpoints));
      if (options.nan_policy == NanPolicy::rollback) {
        roll_back(checkpoints, progress, options);
        hooks.rewind();
        loader = open_loader(session, experiment, data_position(progress, options));
        continue;
      }
    }
    ++progress.step;
    hooks.after_step({passes.last, loss, grad_norm, learning_rate, finite});
  }
}

/// Data-dependent initialisation with the first batch; the average begins at what it sets.
void initialize(const ExperimentOptions& experiment, Session& session) {
  const at::NoGradGuard no_grad;
  session.model->initialize(open_loader(session, experiment, 0)->next().to(session.device));
  session.start_average(experiment.train);
}

void start(const RunDir& run, const ExperimentOptions& experiment, Session& session,
           Checkpointer& checkpoints, Progress& progress) {
  int64_t parameters = 0;
  for (const auto& [name, count] : parameter_counts(session.model->module())) parameters += count;
  log::info("{}: {} parameters on {} with {} threads, {} training examples", experiment.name,
            human_count(parameters), session.device.str(), at::get_num_threads(), session.data->size());
  if (checkpoints.restore(progress)) {
    log::info("resumed at step {} of {}{}", progress.step, experiment.train.steps,
              is_finished(progress, experiment.train)
                  ? ": nothing is left to train (raise train.steps or the patience to go on)"
                  : "");
    return;
  }
  if (!list_checkpoints(run.checkpoints()).empty())
    log::warning("{}: none of its checkpoints is whole: training begins at step 0 again",
                 run.checkpoints().string());
  try {
    initialize(experiment, session);
  } catch (const ExampleError& error) {
    throw with_way_on(error, experiment, run, checkpoints.saved_step(), "");
  }
  // Where a rollback at an early step would go.
  if (experiment.train.nan_policy == NanPolicy::rollback) checkpoints.save(progress, /*last=*/false);
}

}  // namespace

TrainResult train_session(const ExperimentOptions& experiment, const RunDir& run, Session& session) {
  record_start(run, experiment, session);
  run.set_status("running");
  Checkpointer checkpoints(run, experiment, session);
  Progress progress;
  start(run, experiment, session, checkpoints, progress);
  SkipLog skips(session, run.skipped(), progress.step);
  Hooks hooks(run, experiment, session, checkpoints, progress, skips);
  try {
    run_steps(experiment, session, checkpoints, progress, skips, hooks);
  } catch (const ExampleError& error) {
    std::string refusal;
    try {
      hooks.stop();
    } catch (const Error& refused) {
      refusal = refused.what();
    }
    throw with_way_on(error, experiment, run, checkpoints.saved_step(), refusal);
  }

  TrainResult result;
  result.stopped = !is_finished(progress, experiment.train);
  if (result.stopped)
    hooks.stop();
  else
    hooks.finish();
  run.set_status(result.stopped ? "stopped" : "done");
  if (result.stopped)
    log::info("{}: stopped at step {} after a checkpoint; --resume goes on", signals::requested_by(),
              progress.step);
  result.step = progress.step;
  result.final_loss = progress.last_loss;
  result.best_validation = progress.best_validation;
  return result;
}

namespace {

/// Notes a failure in train.log and STATUS, neither of which may hide it. A resume that was refused leaves STATUS to the
/// run as it is.
void record_failure(const RunDir& run, const std::string& what) {
  try {
    log::write_file(log::Level::error, what);  // main() prints what it catches
    if (run.status() == "running") run.set_status("failed: " + what.substr(0, what.find('\n')));
  } catch (const std::exception&) {
  }
}

/// LibTorch's own words for it differ by allocator.
bool is_out_of_memory(const std::exception& e) {
  const std::string_view what = e.what();
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
         what.find("can't allocate memory") != what.npos || what.find("not enough memory") != what.npos;
}

struct LogFile {
  explicit LogFile(const RunDir& run) { log::open_file(run.log().string()); }
  ~LogFile() { log::close_file(); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

}  // namespace

TrainResult train(const ExperimentOptions& experiment, const RunDir& run) {
  const LogFile log_file(run);
  try {
    Session session(experiment);
    return train_session(experiment, run, session);
  } catch (const std::exception& e) {
    if (!is_out_of_memory(e)) {
      record_failure(run, e.what());
      throw;
    }
    const OutOfMemoryError error(
        fmt::format("out of memory with train.batch_size {}: halve it and double train.gradient_accumulation",
                    experiment.train.batch_size));
    record_failure(run, error.what());
    throw error;
  }
}

double dry_run(const ExperimentOptions& experiment) {
  Session session(experiment);
  const auto loader = open_loader(session, experiment, 0);
  Rng rng(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::noise), session.device);
  initialize(experiment, session);
  session.model->module().train();
  seed_default_generators(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::dropout));
  SkipLog skips(session);
  const Passes passes =
      run_passes(session, experiment.train, *loader, skips, {0, experiment.train.steps, true, rng});
  session.scaler.unscale_(gradients_of(*session.optimizer));
  session.optimizer->step(session.optimizer->learning_rate());
  return passes.total.item<double>();
}

}  // namespace gen
