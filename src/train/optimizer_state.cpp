#include "train/optimizer_state.h"

#include <fmt/ranges.h>

#include <set>

#include "gen/core/error.h"

namespace gen {

at::Tensor dense_gradient(const at::Tensor& parameter) {
  const at::Tensor& gradient = parameter.grad();
  if (gradient.strides() == parameter.strides() && gradient.scalar_type() == parameter.scalar_type())
    return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

void load_optimizer_state(const std::vector<StateEntry>& entries, const TensorMap& state) {
  std::vector<std::string> problems;
  std::set<std::string> known;
  for (const auto& [name, tensor] : entries) {
    known.insert(name);
    const auto found = state.find(name);
    if (found == state.end()) {
      problems.push_back(fmt::format("{} is missing", name));
    } else if (found->second.sizes() != tensor.sizes() ||
               found->second.scalar_type() != tensor.scalar_type()) {
      problems.push_back(fmt::format("{}: expected {} {}, got {} {}", name,
                                     c10::toString(tensor.scalar_type()), tensor.sizes(),
                                     c10::toString(found->second.scalar_type()), found->second.sizes()));
    }
  }
  for (const auto& [name, tensor] : state)
    if (!known.contains(name)) problems.push_back(fmt::format("{} is unexpected", name));
  if (!problems.empty())
    throw DataError(fmt::format("optimizer state does not fit the model and optimizer:\n  {}",
                                fmt::join(problems, "\n  ")));
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : entries) tensor.copy_(state.at(name));
}

TensorMap save_optimizer_state(const std::vector<StateEntry>& entries) {
  TensorMap state;
  for (const auto& [name, tensor] : entries) state.emplace(name, tensor);
  return state;
}

}  // namespace gen
