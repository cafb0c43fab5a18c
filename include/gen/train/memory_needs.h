// What training takes of memory, known from shapes before any of it is taken.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gen/data/dataset.h"
#include "gen/train/experiment.h"

namespace gen {

struct MemoryNeeds {
  std::vector<std::pair<std::string, int64_t>> parameters;  ///< trainable, by module
  int64_t weights_bytes = 0;                                ///< parameters and buffers
  int64_t gradients_bytes = 0;
  int64_t optimizer_bytes = 0;
  int64_t ema_bytes = 0;
  int64_t batch_bytes = 0;  ///< of one batch of data, the least that its activations take besides
  int64_t num_parameters() const;
  /// All but the batch: what lasts from the first step to the last.
  int64_t lasting_bytes() const { return weights_bytes + gradients_bytes + optimizer_bytes + ema_bytes; }
};

/// Builds model, optimizer and average with shapes alone. Throws what building them throws.
MemoryNeeds memory_needs(const ExperimentOptions& experiment, const DataSpec& data);

/// Throws OutOfMemoryError where the model or a batch cannot fit in what the machine has free, saying which of them is too
/// large, what it takes and what to change.
void require_memory_to_train(const MemoryNeeds& needs, const ExperimentOptions& experiment);

/// What to say where memory ran out in a step of training all the same; `detail` is what was refused, if that is known.
std::string out_of_memory_in_a_step(const TrainOptions& options, const std::string& detail);

}  // namespace gen
