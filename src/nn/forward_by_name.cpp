#include <fmt/ranges.h>

#include "gen/core/error.h"
#include "gen/nn/network.h"

namespace gen {
namespace {

/// The first few: a file of weights given by mistake has hundreds.
std::string names_of(const TensorMap& tensors) {
  constexpr size_t kShown = 5;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors)
    if (names.size() < kShown) names.push_back(name);
  if (names.empty()) return "none";
  return fmt::format("{}{}", fmt::join(names, ", "),
                     tensors.size() > kShown ? fmt::format(", ... ({} in all)", tensors.size()) : "");
}

}  // namespace

TensorMap forward_by_name(DenoisingNetwork& network, const TensorMap& inputs) {
  const auto find = [&](const char* name) {
    const auto found = inputs.find(name);
    return found == inputs.end() ? at::Tensor() : found->second;
  };
  const at::Tensor sample = find("sample");
  at::Tensor timestep = find("timestep");
  if (!sample.defined() || !timestep.defined())
    throw ConfigError(
        fmt::format("inputs: expected the tensors sample, timestep and, where the network is conditioned on "
                    "them, class_labels, got {}",
                    names_of(inputs)));
  if (timestep.dim() == 0 && sample.dim() > 0) timestep = timestep.expand({sample.size(0)});
  return {{"out", network.forward(sample, timestep, find("class_labels"))}};
}

}  // namespace gen
