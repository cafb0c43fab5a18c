// What a step's forward passes leave in a module's buffers (a batch norm's running statistics), taken back where the step does
// not count.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace gen {

/// Gives the buffers back the values that they have now, at put_back() or at its end, unless keep() was called.
class BuffersOfAStep {
 public:
  /// `may_not_count`: whether the step may be left out once a forward pass is done. Otherwise nothing is copied.
  BuffersOfAStep(const torch::nn::Module& module, bool may_not_count);
  ~BuffersOfAStep() { put_back(); }
  BuffersOfAStep(const BuffersOfAStep&) = delete;
  BuffersOfAStep& operator=(const BuffersOfAStep&) = delete;
  void keep() { before_.clear(); }
  void put_back();

 private:
  std::vector<at::Tensor> buffers_, before_;
};

}  // namespace gen
