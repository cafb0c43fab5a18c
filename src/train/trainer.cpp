#include "gen/train/trainer.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/signals.h"
#include "gen/core/units.h"
#include "gen/nn/network.h"
#include "train/bad_example.h"
#include "train/first_weights.h"
#include "train/rescue.h"
#include "train/resume.h"
#include "train/run_record.h"
#include "train/steps.h"
#include "train/train_failure.h"
#include "train/train_session.h"

namespace gen {
namespace {

void announce(const ExperimentOptions& experiment, const Session& session) {
  int64_t parameters = 0;
  for (const auto& [name, count] : parameter_counts(session.model->module())) parameters += count;
  log::info("{}: {} parameters on {} with {} threads, {} training examples", experiment.name,
            human_count(parameters), session.device.str(), at::get_num_threads(), session.data->size());
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

/// Leaves a training whose very first batch cannot be read as a run that a resume begins.
[[noreturn]] void leave_before_the_first_step(const ExampleError& error, const ExperimentOptions& experiment,
                                              const RunDir& run, const Json& record) {
  std::string refusal;
  try {
    write_record(run, record);
  } catch (const Error& refused) {
    refusal = refused.what();
  }
  throw with_way_on(error, experiment, run, /*checkpoint_step=*/-1, refusal);
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
  result.not_finite = hooks.not_finite();
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
    leave_before_the_first_step(error, experiment, run, record);
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

TrainResult train(const ExperimentOptions& experiment, const RunDir& run, const WarmStart& warm) {
  try {
    run.claim(run.log());
    log::open_file(run.log().string());
    Session session(experiment);
    const TrainResult result = train_session(experiment, run, session, warm);
    log::close_file();
    return result;
  } catch (...) {
    end_failed(experiment, run);
  }
}

}  // namespace gen
