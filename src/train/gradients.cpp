#include "train/gradients.h"

#include <algorithm>
#include <limits>

namespace gen {

std::vector<at::Tensor> gradients_of(const Optimizer& optimizer) {
  std::vector<at::Tensor> gradients;
  for (const auto& group : optimizer.groups())
    for (const auto& [name, parameter] : group.parameters)
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  return gradients;
}

at::Tensor global_norm(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  if (gradients.empty()) return at::zeros({});
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)));
}

double clip_factor(double norm, double max_norm) {
  // As torch.nn.utils.clip_grad_norm_, the small term guards a norm of zero.
  return std::min(1.0, max_norm / (norm + 1e-6));
}

void clip_to_norm_(const std::vector<at::Tensor>& gradients, double norm, double max_norm) {
  const double factor = clip_factor(norm, max_norm);
  if (factor >= 1 || gradients.empty()) return;
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(gradients, factor);
}

std::vector<std::string> non_finite_gradients(const Optimizer& optimizer) {
  std::vector<std::string> names;
  for (const auto& group : optimizer.groups())
    for (const auto& [name, parameter] : group.parameters)
      if (parameter.grad().defined() && !all_finite({parameter.grad()})) names.push_back(name);
  return names;
}

bool all_finite(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> floating;
  for (const auto& tensor : tensors)
    if (tensor.is_floating_point() && tensor.numel() > 0) floating.push_back(tensor.detach());
  if (floating.empty()) return true;
  const auto largest = at::_foreach_norm(floating, std::numeric_limits<double>::infinity());
  return at::stack(largest).isfinite().all().item<bool>();
}

}  // namespace gen
