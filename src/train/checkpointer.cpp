#include "train/checkpointer.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/checkpoint.h"
#include "gen/nn/network.h"
#include "train/gradients.h"
#include "train/run_record.h"

namespace gen {
namespace {

constexpr int kMaxMisses = 3;

std::vector<at::Tensor> values(const TensorMap& tensors) {
  std::vector<at::Tensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back(tensor);
  return list;
}

}  // namespace

Checkpointer::Checkpointer(const RunDir& run, const ExperimentOptions& experiment, Session& session)
    : folder_(run.checkpoints()),
      options_(experiment.train),
      session_(session),
      config_hash_(config_hash(experiment)) {}

bool Checkpointer::restore(Progress& progress) {
  const auto checkpoint = newest_valid_checkpoint(folder_);
  if (!checkpoint) return false;
  const Json state = load_checkpoint_state(*checkpoint);
  load_state(session_.model->module(), load_checkpoint_tensors(*checkpoint, "model"),
             (checkpoint->folder / "model.safetensors").string());
  session_.optimizer->load_state(load_checkpoint_tensors(*checkpoint, "optimizer"));
  if (session_.ema) session_.ema->load_state(load_checkpoint_tensors(*checkpoint, "ema"));
  if (session_.scaler.active()) session_.scaler.load_state(state.at("loss_scaler"));
  progress = progress_from_json(state.at("progress"));
  saved_step_ = checkpoint->step;
  return true;
}

void Checkpointer::save(const Progress& progress, bool last) {
  if (saved_step_ == progress.step) return;
  try {
    write(progress);
    misses_ = 0;
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
    throw NumericalError(
        fmt::format("a parameter is not finite after step {}: no checkpoint was written (the newest is "
                    "that of step {})",
                    progress.step, saved_step_));
  std::vector<TensorFile> files{{"model", weights, metadata}, {"optimizer", session_.optimizer->state(), {}}};
  if (session_.ema) files.push_back({"ema", session_.ema->state(), metadata});
  Json state{{"progress", to_json(progress)}, {"config_hash", config_hash_}};
  if (session_.scaler.active()) state["loss_scaler"] = session_.scaler.state();
  save_checkpoint(folder_, progress.step, files, state);
  saved_step_ = progress.step;
  std::vector<int64_t> keep;
  if (progress.best_validation) keep.push_back(progress.best_step);
  prune_checkpoints(folder_, options_.keep_last, keep);
}

}  // namespace gen
