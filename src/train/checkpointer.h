// A session and its progress, to and from the run's checkpoints.
#pragma once

#include <map>
#include <string>

#include "gen/io/checkpoint.h"
#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"
#include "train/progress.h"
#include "train/session.h"

namespace gen {

class Checkpointer {
 public:
  /// `record`: what run.json says.
  Checkpointer(const RunDir& run, const ExperimentOptions& experiment, Session& session, const Json& record);
  /// Loads the newest valid checkpoint into the session; false where there is none. Throws DataError where that is of another
  /// run.
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
  void prune(const Progress& progress);
  bool is_whole(const CheckpointInfo& checkpoint);
  const RunDir& run_;
  const ExperimentOptions& experiment_;
  Session& session_;
  const Json& record_;
  std::string config_hash_;
  int64_t saved_step_ = -1;
  std::map<int64_t, bool> verified_;  // steps whose hashes this process wrote or has checked
  int misses_ = 0;
};

}  // namespace gen
