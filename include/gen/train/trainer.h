// The training loop and what surrounds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "gen/data/dataset.h"
#include "gen/io/run_dir.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"

namespace gen {

struct TrainResult {
  int64_t step = 0;
  bool stopped = false;  ///< by a signal, after a checkpoint: exit 75
  double final_loss = 0;
  std::optional<double> best_validation;
};

/// Trains from the newest valid checkpoint of `run` (or from scratch), leaving in it what the README lists.
TrainResult train(const ExperimentOptions& experiment, const RunDir& run);
/// Builds everything and runs one step, writing no file; returns the loss.
double dry_run(const ExperimentOptions& experiment);

/// A trained model with the weights of a run's newest valid checkpoint.
struct LoadedRun {
  ExperimentOptions experiment;
  DataSpec data;
  std::unique_ptr<Model> model;
  at::Device device = at::kCPU;
  int64_t step = 0;
  bool ema = false;  ///< these are the averaged weights
};
/// `raw`: the trained weights even where there are averaged ones. `sets` override the config (sample, eval, data).
LoadedRun load_run(const std::filesystem::path& folder, const std::string& device, bool raw,
                   const std::vector<std::string>& sets = {});

}  // namespace gen
