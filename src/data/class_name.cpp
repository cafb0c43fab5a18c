#include "gen/data/class_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "gen/core/error.h"
#include "gen/core/nearest.h"
#include "gen/core/text.h"

namespace gen {
namespace {

// Digits without a leading zero: "00" is a name that nothing has rather than another way to write 0.
bool is_number(std::string_view text) {
  constexpr size_t kMostDigits = 9;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && text.size() <= kMostDigits && std::all_of(text.begin(), text.end(), digit) &&
         (text.size() == 1 || text.front() != '0');
}

std::string expected(const DataSpec& data, bool numbers_are_names) {
  constexpr size_t kMost = 20;
  const auto& names = data.class_names;
  const auto shown = static_cast<std::ptrdiff_t>(std::min(kMost, names.size()));
  const std::string list =
      fmt::format("{}{}", fmt::join(names.begin(), names.begin() + shown, ", "),
                  names.size() > kMost ? fmt::format(", ... ({} in all)", names.size()) : "");
  if (names.empty()) return fmt::format("a class in [0, {}]", data.num_classes - 1);
  if (numbers_are_names) return fmt::format("one of the classes' names, {}", list);
  return fmt::format("a class in [0, {}] or one of {}", data.num_classes - 1, list);
}

}  // namespace

int64_t class_named(const std::string& label, const DataSpec& data, const std::string& where) {
  if (data.num_classes == 0)
    throw ConfigError(fmt::format("{}: the data of this run have no labels, got \"{}\"", where, label));
  const auto& names = data.class_names;
  // Names of folders that are no UTF-8 are kept as they are shown.
  for (const auto& wanted : {label, printable_line(label)})
    if (const auto found = std::find(names.begin(), names.end(), wanted); found != names.end())
      return found - names.begin();
  const bool numbers_are_names = std::any_of(names.begin(), names.end(), is_number);
  if (is_number(label) && !numbers_are_names && std::stoll(label) < data.num_classes)
    return std::stoll(label);
  throw ConfigError(fmt::format("{}: expected {}, got \"{}\"{}", where, expected(data, numbers_are_names),
                                label, is_number(label) ? "" : did_you_mean(label, names)));
}

}  // namespace gen
