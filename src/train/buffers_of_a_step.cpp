#include "train/buffers_of_a_step.h"

namespace gen {

BuffersOfAStep::BuffersOfAStep(const torch::nn::Module& module, bool may_not_count) {
  if (!may_not_count) return;
  const at::NoGradGuard no_grad;
  buffers_ = module.buffers();
  for (const auto& buffer : buffers_) before_.push_back(buffer.clone());
}

void BuffersOfAStep::put_back() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < before_.size(); ++i) buffers_[i].copy_(before_[i]);
  before_.clear();
}

}  // namespace gen
