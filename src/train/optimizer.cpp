#include "gen/train/optimizer.h"

#include <set>

#include "train/adam.h"
#include "train/optimizer_state.h"
#include "train/sgd.h"

namespace gen {

std::vector<ParameterGroup> parameter_groups(const torch::nn::Module& module) {
  ParameterGroup decayed{{}, true}, undecayed{{}, false};
  std::set<const c10::TensorImpl*> seen;  // a weight that two modules share is updated once
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad() || !seen.insert(item.value().unsafeGetTensorImpl()).second) continue;
    // By what it does, which its name says, and not by its shape alone: a scale may be [C, 1, 1] or [C, H, W].
    const bool matrix = item.value().dim() >= 2 && item.key().ends_with("weight");
    (matrix ? decayed : undecayed).parameters.emplace_back(item.key(), item.value());
  }
  std::vector<ParameterGroup> groups;
  for (auto* group : {&decayed, &undecayed})
    if (!group->parameters.empty()) groups.push_back(std::move(*group));
  return groups;
}

void Optimizer::zero_grad() {
  for (auto& group : groups_)
    for (auto& [name, parameter] : group.parameters) parameter.mutable_grad().reset();
}

const OptimizerKind& optimizers() {
  static const auto kind = [] {
    OptimizerKind k("optimizer");
    k.add<AdamWOptions>("adamw", make_adamw, "Adam with decoupled weight decay (Loshchilov & Hutter 2019)");
    k.add<AdamOptions>("adam", make_adam,
                       "Adam (Kingma & Ba 2015); weight decay, if any, is added to the gradient");
    k.add<SgdOptions>("sgd", make_sgd, "stochastic gradient descent with momentum (Sutskever et al. 2013)");
    return k;
  }();
  return kind;
}

}  // namespace gen
