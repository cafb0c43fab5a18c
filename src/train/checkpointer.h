// A session and its progress, to and from the run's checkpoints.
#pragma once

#include <string>

#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"
#include "train/progress.h"
#include "train/session.h"

namespace gen {

class Checkpointer {
 public:
  Checkpointer(const RunDir& run, const ExperimentOptions& experiment, Session& session);
  /// Loads the newest valid checkpoint into the session; false where there is none.
  bool restore(Progress& progress);
  /// Saves and prunes. A disk that refuses is a warning, tried again at the next call, and an IoError at the
  /// third refusal in a row or when `last`. Throws NumericalError, saving nothing, where a parameter is not
  /// finite.
  void save(const Progress& progress, bool last);
  /// Saves again at the same step, for a progress that has grown since.
  void replace(const Progress& progress);
  /// The step of the newest checkpoint saved or restored by this object, -1: none.
  int64_t saved_step() const { return saved_step_; }

 private:
  void write(const Progress& progress);
  std::filesystem::path folder_;
  const TrainOptions& options_;
  Session& session_;
  std::string config_hash_;
  int64_t saved_step_ = -1;
  int misses_ = 0;
};

}  // namespace gen
