// The training loop and what surrounds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "gen/data/dataset.h"
#include "gen/io/checkpoint.h"
#include "gen/io/run_dir.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"

namespace gen {

struct TrainResult {
  int64_t step = 0;
  bool stopped = false;  ///< by a signal, after a checkpoint: exit 75
  double final_loss = 0;
  std::optional<double> best_validation;
  /// What the last validation or grid of samples found that is no number; empty: nothing.
  std::string not_finite;
};

/// Where a new run's weights come from, instead of from the seed.
struct WarmStart {
  std::filesystem::path
      source;  ///< a run, a checkpoint's folder, a folder as diffusers saves it, a safetensors file; empty: none
  std::string checkpoint;  ///< of a run: "last" (also empty), "best", a step, or that checkpoint's folder
};

/// Trains from the newest valid checkpoint of a run that is resumed, else from scratch or `warm`, leaving in the run what the
/// README lists. Throws DataError where a run that made checkpoints has none left to go on from, having changed nothing.
/// Where the run's folder is deleted or moved meanwhile, saves what is in memory as a run beside it and throws IoError.
TrainResult train(const ExperimentOptions& experiment, const RunDir& run, const WarmStart& warm = {});
/// Builds everything and runs one step, writing no file; returns the loss.
double dry_run(const ExperimentOptions& experiment, const WarmStart& warm = {});
/// Writes config.json of a run again from run.json, where it alone was lost; false where there is nothing to do, or it
/// cannot.
bool restore_lost_config(const std::filesystem::path& folder);

/// A trained model with the weights of one of a run's checkpoints.
struct LoadedRun {
  ExperimentOptions experiment;
  DataSpec data;
  std::unique_ptr<Model> model;
  at::Device device = at::kCPU;
  int64_t step = 0;
  bool ema = false;  ///< these are the averaged weights
};
/// Which weights of a run.
struct RunWeights {
  bool raw = false;  ///< the trained weights even where there are averaged ones
  std::string
      checkpoint;  ///< "last" (also empty): the newest whole one; "best", a step, or that checkpoint's folder
};
/// Its weights no longer change: who draws or scores calls prepare_inference with the type that its numbers are to be of.
/// `sets` override the config (sample, eval, data). Reads and verifies the weights alone. Throws ConfigError where the
/// config was edited into another model's, DataError where there is no such checkpoint, or it is another run's.
LoadedRun load_run(const std::filesystem::path& folder, const std::string& device,
                   const RunWeights& weights = {}, const std::vector<Setting>& sets = {});

/// The step and the validation loss that were the best so far; nothing where nothing was validated yet.
struct BestCheckpoint {
  int64_t step = 0;
  double validation = 0;
};
std::optional<BestCheckpoint> best_checkpoint(const RunDir& run);
/// The checkpoint that `weights` names, its weights verified. Throws DataError saying what there is instead.
CheckpointInfo choose_checkpoint(const RunDir& run, const RunWeights& weights);

}  // namespace gen
