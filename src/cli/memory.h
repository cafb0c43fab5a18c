// What training or sampling a model takes of memory, measured by running it once.
#pragma once

#include <cstdint>

#include "gen/data/dataset.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"

namespace gen::cli {

struct MemoryEstimate {
  int64_t weights_bytes = 0;  ///< parameters and buffers
  int64_t gradients_bytes = 0;
  int64_t optimizer_bytes = 0;
  int64_t ema_bytes = 0;
  int64_t activation_bytes_per_example = 0;
  int64_t activation_bytes = 0;  ///< of a batch
  int64_t total_bytes() const {
    return weights_bytes + gradients_bytes + optimizer_bytes + ema_bytes + activation_bytes;
  }
};

/// Runs one loss and its gradients on two and on four random examples on the CPU and counts what LibTorch
/// allocates: the difference is what an example costs. fp32; workspaces of libraries, LibTorch itself and
/// data are not counted.
MemoryEstimate estimate_memory(Model& model, const DataSpec& data, const TrainOptions& train);

}  // namespace gen::cli
