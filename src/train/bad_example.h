// Leaving a training because of an example that cannot be read, so that nothing done before it is lost.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "gen/data/bad_examples.h"
#include "gen/io/run_dir.h"
#include "gen/train/experiment.h"

namespace gen {

/// Gives a module's buffers (a batch norm's running statistics) back the values that they have now, unless keep() was
/// called: a step that ends before its last forward pass is to leave no trace.
class BuffersOfAStep {
 public:
  /// `several`: whether the step has more forward passes than one; otherwise nothing is copied, for data are read
  /// before the pass.
  BuffersOfAStep(const torch::nn::Module& module, bool several);
  ~BuffersOfAStep();
  BuffersOfAStep(const BuffersOfAStep&) = delete;
  BuffersOfAStep& operator=(const BuffersOfAStep&) = delete;
  void keep() { before_.clear(); }

 private:
  std::vector<at::Tensor> buffers_, before_;
};

/// The error with what a user needs beside it: at which step the checkpoint is (-1: there is none), why none was saved
/// now (empty: it was), and how to go on with the run, or to begin it where not even that could be written.
ExampleError with_way_on(const ExampleError& error, const ExperimentOptions& experiment, const RunDir& run,
                         int64_t checkpoint_step, const std::string& refusal);

}  // namespace gen
