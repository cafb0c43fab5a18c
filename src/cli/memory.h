// What training or sampling a model takes of memory, measured by running it once.
#pragma once

#include <cstdint>

#include "gen/data/dataset.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"

namespace gen::cli {

struct ActivationMemory {
  int64_t bytes_per_example = 0;
  int64_t bytes = 0;  ///< of a batch
};

/// Runs one loss and its gradients on two and on four random examples on the CPU and counts what LibTorch
/// allocates: the difference is what an example costs. fp32; workspaces of libraries, LibTorch itself and
/// data are not counted.
ActivationMemory measure_activations(Model& model, const DataSpec& data, const TrainOptions& train);

}  // namespace gen::cli
