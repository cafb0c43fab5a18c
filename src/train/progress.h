// Where a run stands: what a checkpoint's state.json holds beside the tensors.
#pragma once

#include <cstdint>
#include <optional>

#include "gen/config/json_fields.h"

namespace gen {

struct Progress {
  int64_t step = 0;              ///< optimizer steps done
  int64_t updates = 0;           ///< of them not left out as non-finite
  int64_t skipped_batches = 0;   ///< data passed over by rollbacks
  int64_t non_finite_steps = 0;  ///< spent of the budget
  double loss_sum = 0;           ///< since the last line of metrics.jsonl
  int64_t loss_count = 0;
  double last_loss = 0;
  std::optional<double> best_validation;
  int64_t best_step = 0;          ///< whose checkpoint is kept
  int64_t stale_validations = 0;  ///< in a row without improvement
  bool validation_owed = false;   ///< that of this step met an example that cannot be read
  double elapsed_s = 0;           ///< of training, over all processes
};

Json to_json(const Progress& progress);
/// Throws DataError naming the file and the field.
Progress progress_from_json(const JsonFields& fields);

/// Whether `patience` validations in a row (0: any number) brought no improvement, so that training stops early.
bool out_of_patience(const Progress& progress, int64_t patience);

/// Takes a validation loss in: true when it is the best so far (by more than `min_delta`).
bool record_validation(Progress& progress, double loss, double min_delta);

}  // namespace gen
