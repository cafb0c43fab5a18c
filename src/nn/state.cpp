#include <fmt/ranges.h>

#include <set>

#include "gen/core/error.h"
#include "gen/nn/network.h"

namespace gen {
namespace {

/// The first few of many, so that a file of another model does not bury the terminal.
std::string listed(const std::vector<std::string>& lines) {
  constexpr size_t kShown = 20;
  const std::vector<std::string> shown(
      lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, lines.size())));
  std::string text = fmt::format("\n    {}", fmt::join(shown, "\n    "));
  if (lines.size() > kShown) text += fmt::format("\n    ... and {} more", lines.size() - kShown);
  return text;
}

std::string unfit(const std::string& name, const at::Tensor& got, const at::Tensor& expected) {
  if (got.sizes() != expected.sizes())
    return fmt::format("{}: expected shape [{}], got [{}]", name, fmt::join(expected.sizes(), ", "),
                       fmt::join(got.sizes(), ", "));
  if (got.is_complex() != expected.is_complex() || got.is_floating_point() != expected.is_floating_point())
    return fmt::format("{}: expected dtype {}, got {}", name, c10::toString(expected.scalar_type()),
                       c10::toString(got.scalar_type()));
  return {};
}

}  // namespace

TensorMap state_of(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value().detach();
  for (const auto& item : module.named_buffers())
    if (item.value().defined()) state[item.key()] = item.value().detach();
  return state;
}

void load_state(torch::nn::Module& module, const TensorMap& tensors, const std::string& source) {
  const TensorMap own = state_of(module);
  std::vector<std::string> missing, unexpected, misshaped;
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      missing.push_back(name);
    } else if (auto line = unfit(name, found->second, tensor); !line.empty()) {
      misshaped.push_back(std::move(line));
    }
  }
  for (const auto& [name, tensor] : tensors)
    if (!own.contains(name)) unexpected.push_back(name);
  if (!missing.empty() || !unexpected.empty() || !misshaped.empty()) {
    std::string message = fmt::format("{}: its tensors are not those of this network", source);
    if (!missing.empty()) message += fmt::format("\n  {} missing:{}", missing.size(), listed(missing));
    if (!unexpected.empty())
      message += fmt::format("\n  {} unexpected:{}", unexpected.size(), listed(unexpected));
    if (!misshaped.empty())
      message += fmt::format("\n  {} of another shape or type:{}", misshaped.size(), listed(misshaped));
    throw DataError(message);
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) at::Tensor(tensor).copy_(tensors.at(name));
}

}  // namespace gen
