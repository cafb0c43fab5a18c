#include "train/checkpointer.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/nn/network.h"
#include "train/gradients.h"
#include "train/run_record.h"
#include "train/validation.h"

namespace gen {
namespace {

constexpr int kMaxMisses = 3;

std::vector<at::Tensor> values(const TensorMap& tensors) {
  std::vector<at::Tensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back(tensor);
  return list;
}

/// Gives the averaged weights running statistics of their own. An example that cannot be read must not cost the checkpoint.
void fit_statistics(Session& session, const ExperimentOptions& experiment) {
  try {
    const EvaluationScope scope(session, experiment);
  } catch (const ExampleError& error) {
    log::warning("the averaged weights are saved with the running statistics of the raw ones: {}",
                 error.what());
  }
}

}  // namespace

Checkpointer::Checkpointer(const RunDir& run, const ExperimentOptions& experiment, Session& session,
                           const Json& record)
    : run_(run),
      experiment_(experiment),
      session_(session),
      record_(record),
      config_hash_(config_hash(experiment)) {}

bool Checkpointer::restore(Progress& progress) {
  const auto checkpoint = newest_valid_checkpoint(run_.checkpoints());
  if (!checkpoint) return false;
  const Json state = load_checkpoint_state(*checkpoint);
  const JsonFields fields(state, (checkpoint->folder / "state.json").string());
  refuse_another_runs(run_, *checkpoint, record_, state, "move it away to go on from the one before it");
  load_state(session_.model->module(), load_checkpoint_tensors(*checkpoint, "model"),
             (checkpoint->folder / "model.safetensors").string());
  session_.optimizer->load_state(load_checkpoint_tensors(*checkpoint, "optimizer"));
  if (session_.ema) session_.ema->load_state(load_checkpoint_tensors(*checkpoint, "ema"));
  if (session_.scaler.active()) session_.scaler.load_state(fields.object("loss_scaler"));
  progress = progress_from_json(fields.object("progress"));
  saved_step_ = checkpoint->step;
  verified_[saved_step_] = true;
  return true;
}

void Checkpointer::save(const Progress& progress, bool last) {
  if (saved_step_ == progress.step) return;
  try {
    write(progress);
    misses_ = 0;
  } catch (const RunFolderGone&) {
    throw;
  } catch (const IoError& e) {
    if (last || ++misses_ >= kMaxMisses) throw;
    log::warning("no checkpoint at step {} (training goes on and tries again at the next one): {}",
                 progress.step, e.what());
  }
}

void Checkpointer::replace(const Progress& progress) {
  saved_step_ = -1;
  save(progress, /*last=*/false);
}

void Checkpointer::write(const Progress& progress) {
  Metadata metadata = session_.model->weights_metadata();
  metadata["format"] = "pt";
  const TensorMap weights = weights_of(*session_.model);
  if (!all_finite(values(weights)))
    throw NumericalError(fmt::format(
        "a parameter is not finite after step {}: no checkpoint was written ({}); a lower learning "
        "rate or train.clip_grad_norm may keep it finite",
        progress.step,
        saved_step_ >= 0 ? fmt::format("the newest is that of step {}", saved_step_)
                         : "there is none before it"));
  std::vector<TensorFile> files{{"model", weights, metadata}, {"optimizer", session_.optimizer->state(), {}}};
  if (session_.ema) {
    fit_statistics(session_, experiment_);
    files.push_back({"ema", session_.ema->state(), metadata});
  }
  Json state{{"progress", to_json(progress)}, {"config_hash", config_hash_}};
  if (session_.scaler.active()) state["loss_scaler"] = session_.scaler.state();
  const auto place = checkpoint_path(run_.checkpoints(), progress.step);
  std::error_code error;
  const auto there = std::filesystem::symlink_status(place, error);
  if (std::filesystem::is_symlink(there) || (std::filesystem::exists(there) && !run_.made(place)))
    set_aside(place);
  run_.claim(place);
  save_checkpoint(run_.checkpoints(), progress.step, files, state);
  run_.note_finished(place);
  saved_step_ = progress.step;
  verified_[saved_step_] = true;
  prune(progress);
}

void Checkpointer::prune(const Progress& progress) {
  PruneRule rule;
  rule.keep_last = experiment_.train.keep_last;
  if (progress.best_validation) rule.keep_steps.push_back(progress.best_step);
  rule.made = [&](const CheckpointInfo& each) { return run_.made(each.folder); };
  rule.whole = [&](const CheckpointInfo& each) { return is_whole(each); };
  for (const auto& folder : prune_checkpoints(run_.checkpoints(), rule)) run_.disclaim(folder);
}

bool Checkpointer::is_whole(const CheckpointInfo& checkpoint) {
  const auto known = verified_.find(checkpoint.step);
  const bool hash = known == verified_.end();
  const std::string problem = hash || known->second ? verify_checkpoint(checkpoint, {{}, hash}) : "damaged";
  if (!problem.empty() && (hash || known->second))
    log::warning("{}: does not count as one of the {} that are kept: {}", checkpoint.folder.string(),
                 experiment_.train.keep_last, problem);
  verified_[checkpoint.step] = problem.empty();
  return problem.empty();
}

}  // namespace gen
