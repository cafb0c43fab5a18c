#include "gen/train/trainer.h"

#include <cmath>
#include <new>
#include <nlohmann/json.hpp>
#include <string_view>

#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/core/failure.h"
#include "gen/core/finite.h"
#include "gen/core/log.h"
#include "gen/core/memory.h"
#include "gen/core/quote.h"
#include "gen/core/signals.h"
#include "gen/core/units.h"
#include "gen/data/loader.h"
#include "gen/io/checkpoint.h"
#include "gen/train/memory_needs.h"
#include "train/bad_example.h"
#include "train/gradients.h"
#include "train/hooks.h"
#include "train/non_finite.h"
#include "train/rescue.h"
#include "train/resume.h"
#include "train/run_record.h"
#include "train/train_session.h"
#include "train/warm_start.h"

namespace gen {
namespace {

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

/// What a step draws from: torch's default generators for dropout, the Rng for the loss.
Rng seed_step(const ExperimentOptions& experiment, const Session& session, int64_t step) {
  const auto seed = static_cast<uint64_t>(experiment.seed);
  seed_default_generators(derive_seed(seed, Stream::dropout, static_cast<uint64_t>(step)));
  return Rng(derive_seed(seed, Stream::noise, static_cast<uint64_t>(step)), session.device);
}

/// The forward and backward passes of one step; gradients are left in the parameters. Throws ExampleError, with the
/// model as it was.
struct Passes {
  LossTerms loss;                 // means over the passes, without graph
  std::vector<int64_t> examples;  // of the last batch
};

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

Passes run_passes(Session& session, const TrainOptions& options, Loader& loader, SkipLog& skips,
                  const StepContext& context) {
  Passes passes;
  BuffersOfAStep buffers(session.model->module(), options.gradient_accumulation > 1);
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
  auto loader = open_loader(session, experiment, data_position(progress, options));
  session.model->module().train();
  hooks.catch_up();
  while (!is_finished(progress, options) && !signals::stop_requested()) {
    const int64_t step = progress.step;
    Rng rng = seed_step(experiment, session, step);

    session.optimizer->zero_grad();
    const Passes passes =
        run_passes(session, options, *loader, skips, {step, options.steps, /*training=*/true, rng});

    const auto gradients = gradients_of(*session.optimizer);
    session.scaler.unscale_(gradients);
    const auto [loss, grad_norm] = to_host(passes.loss.total, global_norm(gradients));
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
    hooks.after_step({passes.loss, loss, grad_norm, learning_rate, finite});
  }
}

/// Data-dependent initialisation with the first batch; the average begins at what it sets.
void initialize(const ExperimentOptions& experiment, Session& session) {
  const at::NoGradGuard no_grad;
  Rng rng(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::data_init), session.device);
  session.model->initialize(open_loader(session, experiment, 0)->next().to(session.device), rng);
  session.start_average(experiment.train);
}

void announce(const ExperimentOptions& experiment, const Session& session) {
  int64_t parameters = 0;
  for (const auto& [name, count] : parameter_counts(session.model->module())) parameters += count;
  log::info("{}: {} parameters on {} with {} threads, {} training examples", experiment.name,
            human_count(parameters), session.device.str(), at::get_num_threads(), session.data->size());
}

/// The first weights of a run: those of another, or drawn from the seed and the data.
void first_weights(const ExperimentOptions& experiment, Session& session, const WarmStart& warm,
                   Json& record) {
  if (!warm.source.empty())
    record["init_from"] = begin_at(warm, *session.model);
  else if (record.contains("init_from"))
    begin_again_at(record["init_from"], *session.model);
  else
    return initialize(experiment, session);
  session.start_average(experiment.train);
}

void say_where(const Progress& progress, bool resumed, const ExperimentOptions& experiment,
               const Json& record, RunMode mode) {
  if (resumed)
    log::info("resumed at step {} of {}{}", progress.step, experiment.train.steps,
              is_finished(progress, experiment.train)
                  ? ": nothing is left to train (raise train.steps or the patience to go on)"
                  : "");
  else if (mode == RunMode::resume)
    log::info("the run made no checkpoint yet: it begins at step 0 again");
  if (!resumed && record.contains("init_from"))
    log::info("begins at the weights of {}", record["init_from"].value("file", ""));
}

/// Leaves the training at an example that cannot be read, after a checkpoint.
[[noreturn]] void leave_at(const ExampleError& error, const ExperimentOptions& experiment, const RunDir& run,
                           const Checkpointer& checkpoints, Hooks& hooks) {
  std::string refusal;
  try {
    hooks.stop();
  } catch (const RunFolderGone&) {
    throw;
  } catch (const Error& refused) {
    refusal = refused.what();
  }
  throw with_way_on(error, experiment, run, checkpoints.saved_step(), refusal);
}

/// From `progress` to the last step, an early stop or a signal.
TrainResult train_on(const ExperimentOptions& experiment, const RunDir& run, Session& session,
                     Checkpointer& checkpoints, Progress& progress) {
  run.claim(run.skipped());
  SkipLog skips(session, run.skipped(), progress.step);
  Hooks hooks(run, experiment, session, checkpoints, progress, skips);
  try {
    run_steps(experiment, session, checkpoints, progress, skips, hooks);
  } catch (const ExampleError& error) {
    leave_at(error, experiment, run, checkpoints, hooks);
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

}  // namespace

TrainResult train_session(const ExperimentOptions& experiment, const RunDir& run, Session& session,
                          const WarmStart& warm) {
  Json record = make_record(run, experiment, session);
  Checkpointer checkpoints(run, experiment, session, record);
  Progress progress;
  announce(experiment, session);
  const bool resumed = go_on(run, session, checkpoints, progress);
  try {
    if (!resumed) first_weights(experiment, session, warm, record);
  } catch (const ExampleError& error) {
    throw with_way_on(error, experiment, run, checkpoints.saved_step(), "");
  }
  try {
    write_record(run, record);
    run.set_status("running");
    say_where(progress, resumed, experiment, record, run.mode());
    // Where a rollback at an early step would go; and a source of weights may be gone when the run is resumed.
    if (!resumed && (experiment.train.nan_policy == NanPolicy::rollback || record.contains("init_from")))
      checkpoints.save(progress, /*last=*/false);
    return train_on(experiment, run, session, checkpoints, progress);
  } catch (const RunFolderGone& gone) {
    throw IoError(save_beside(gone, run, experiment, session, progress, record));
  }
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
         dynamic_cast<const TensorTooLarge*>(&e) != nullptr ||
         what.find("can't allocate memory") != what.npos || what.find("not enough memory") != what.npos;
}

/// What is to be done about a disk that failed, once it is mended: the run goes on from its newest checkpoint.
std::string with_the_way_on(const std::string& what, const RunDir& run) {
  std::error_code error;
  if (!run.in_place() || !std::filesystem::exists(run.config(), error)) return what;
  return fmt::format("{}\n  go on with: gen train --run-dir {} --resume", what, shell_quote_path(run.path()));
}

struct LogFile {
  explicit LogFile(const RunDir& run) { log::open_file(run.log().string()); }
  ~LogFile() { log::close_file(); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

}  // namespace

TrainResult train(const ExperimentOptions& experiment, const RunDir& run, const WarmStart& warm) {
  run.claim(run.log());
  const LogFile log_file(run);
  try {
    Session session(experiment);
    return train_session(experiment, run, session, warm);
  } catch (const IoError& e) {
    record_failure(run, e.what());
    throw IoError(with_the_way_on(e.what(), run));
  } catch (const std::exception& e) {
    if (!is_out_of_memory(e)) {
      record_failure(run, explain(std::current_exception()).message);
      throw;
    }
    const OutOfMemoryError error(out_of_memory_in_a_step(
        experiment.train, dynamic_cast<const TensorTooLarge*>(&e) != nullptr ? e.what() : ""));
    record_failure(run, error.what());
    throw error;
  }
}

double dry_run(const ExperimentOptions& experiment, const WarmStart& warm) {
  Session session(experiment);
  const auto loader = open_loader(session, experiment, 0);
  Json record;
  first_weights(experiment, session, warm, record);
  session.model->module().train();
  Rng rng = seed_step(experiment, session, 0);
  SkipLog skips(session);
  const Passes passes =
      run_passes(session, experiment.train, *loader, skips, {0, experiment.train.steps, true, rng});
  session.scaler.unscale_(gradients_of(*session.optimizer));
  session.optimizer->step(session.optimizer->learning_rate());
  const double loss = passes.loss.total.item<double>();
  if (!std::isfinite(loss))
    throw NumericalError(
        fmt::format("the first step's loss is {} (batch of examples {}); a lower learning rate does not help "
                    "before a step was taken: "
                    "look at the data and the model's options",
                    loss, first_few(passes.examples)));
  return loss;
}

}  // namespace gen
