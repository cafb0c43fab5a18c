#include "gen/models/model.h"

#include "gen/core/error.h"

namespace gen {

TensorMap Model::forward_named(const TensorMap& inputs) {
  std::string names;
  for (const auto& [name, tensor] : inputs) names += (names.empty() ? "" : ", ") + name;
  throw ConfigError("this model family has no network that runs on named tensors (given: " +
                    (names.empty() ? "none" : names) + ")");
}

std::vector<std::pair<std::string, int64_t>> parameter_counts(const torch::nn::Module& module) {
  const auto trainable = [](const torch::nn::Module& part, bool recurse) {
    int64_t count = 0;
    for (const auto& parameter : part.parameters(recurse))
      if (parameter.requires_grad()) count += parameter.numel();
    return count;
  };
  std::vector<std::pair<std::string, int64_t>> counts;
  if (const int64_t own = trainable(module, false); own > 0) counts.emplace_back("", own);
  for (const auto& child : module.named_children())
    counts.emplace_back(child.key(), trainable(*child.value(), true));
  return counts;
}

}  // namespace gen
