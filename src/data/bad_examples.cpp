#include "gen/data/bad_examples.h"

#include <fmt/format.h>

#include <array>

#include "gen/config/options.h"

namespace gen {

void BadExampleOptions::visit(OptionVisitor& v) {
  static constexpr std::array<std::pair<const char*, OnError>, 2> kNames{
      {{"error", OnError::error}, {"skip", OnError::skip}}};
  v.choice("on_error", on_error, kNames,
           "an example that cannot be read: error saves a checkpoint and stops; skip takes the next one that "
           "can be "
           "read in its place (scores leave it out) and lists it in the run's skipped.jsonl");
  v.field("max_skipped", max_skipped, "examples of a split that skip may pass over before it is an error",
          {.min = 0, .max = 1e12});
}

std::string budget_spent(const std::string& what, const BadExampleOptions& options) {
  return fmt::format("{} (data.max_skipped of {} such examples is spent)", what, options.max_skipped);
}

std::vector<BadExample> SkippedExamples::add(const std::vector<BadExample>& found) {
  std::vector<BadExample> added;
  for (const auto& each : found) {
    if (by_index_.contains(each.index)) continue;
    if (count() >= options_.max_skipped)
      throw ExampleError(budget_spent(each.what, options_), each.index);
    by_index_[each.index] = each.what;
    added.push_back(each);
  }
  return added;
}

}  // namespace gen
