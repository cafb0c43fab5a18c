// What happens between steps: status line, metrics, validation, checkpoints, sample grids.
#pragma once

#include "gen/io/run_dir.h"
#include "train/checkpointer.h"
#include "train/journal.h"
#include "train/skip_log.h"
#include "train/status_line.h"

namespace gen {

/// What a step leaves for its hooks.
struct StepOutcome {
  LossTerms loss;        ///< means over its forward passes; on the device
  double total = 0;      ///< loss.total on the host
  double grad_norm = 0;  ///< before clipping
  double learning_rate = 0;
  bool finite = true;
};

class Hooks {
 public:
  Hooks(const RunDir& run, const ExperimentOptions& experiment, Session& session, Checkpointer& checkpoints,
        Progress& progress, SkipLog& skips);
  /// What an earlier process owed at the step where it ended: a validation, a picture.
  void catch_up();
  /// With `progress` already at the new step. Throws ExampleError.
  void after_step(const StepOutcome& outcome);
  /// After a rollback.
  void rewind();
  /// The run is complete: what is still due, the last checkpoint, a last grid, summary.json.
  void finish();
  /// The run ends before its last step, by a signal: a checkpoint.
  void stop();
  /// What the last validation and the last grid found that is no number; empty: nothing.
  std::string not_finite() const;

 private:
  void log_step(const StepOutcome& outcome);
  void validate_now();
  void sample_now();
  void note_elapsed();
  void write_summary(bool sampled);
  const RunDir& run_;
  const ExperimentOptions& experiment_;
  const TrainOptions& options_;
  Session& session_;
  Checkpointer& checkpoints_;
  Progress& progress_;
  SkipLog& skips_;
  Journal journal_;
  StatusLine status_;
  double elapsed_before_s_;
  int64_t step_without_grid_ = -1;  ///< the last at which samples were not finite
  std::string bad_validation_, bad_grid_;  ///< of the last of each: what was not finite
};

}  // namespace gen
