#include "gen/config/option_error.h"

#include <fmt/format.h>

namespace gen {
namespace {

std::string lines_of(const std::vector<OptionMistake>& mistakes) {
  std::string lines;
  for (const auto& [pointer, text] : mistakes)
    lines += fmt::format("{}{}{}{}", lines.empty() ? "" : "\n", pointer, pointer.empty() ? "" : ": ", text);
  return lines;
}

}  // namespace

OptionError::OptionError(std::vector<OptionMistake> mistakes)
    : ConfigError(lines_of(mistakes)), mistakes_(std::move(mistakes)) {}

void OptionMistakes::add(std::string pointer, std::string text) {
  mistakes_.push_back({std::move(pointer), std::move(text)});
}

bool OptionMistakes::gather(const std::string& place, const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const OptionError& error) {
    for (const auto& [pointer, text] : error.mistakes()) add(place + pointer, text);
  } catch (const ConfigError& error) {
    add(place, error.what());
  }
  return false;
}

void OptionMistakes::throw_if_any() const {
  if (!mistakes_.empty()) throw OptionError(mistakes_);
}

}  // namespace gen
