#include "cli/check_data.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "cli/progress_line.h"
#include "cli/results.h"
#include "gen/data/loader.h"

namespace gen::cli {
namespace {

Json check_split(const Component& data, Split split, bool json, bool quiet) {
  std::unique_ptr<Dataset> dataset;
  try {
    dataset = datasets().make(data, split);
  } catch (const DataError& error) {
    return {{"examples", 0}, {"bad", Json::array()}, {"error", error.what()}};
  }
  Json bad = Json::array();
  ProgressLine progress(quiet);
  find_bad_examples(*dataset, [&](int64_t done, std::span<const BadExample> found) {
    for (const auto& each : found) {
      bad.push_back({{"index", each.index}, {"what", each.what}});
      if (!json) results::print("{} example {}: {}\n", to_string(split), each.index, each.what);
    }
    results::show();
    progress.update(fmt::format("{} example {} of {}", to_string(split), done, dataset->size()));
  });
  return {{"examples", dataset->size()}, {"bad", bad}};
}

void print_counts(const Json& splits) {
  for (const auto& [name, split] : splits.items())
    if (split.contains("error"))
      results::print("{}: {}\n", name, split["error"].get<std::string>());
    else
      results::print("{}: {} examples, {} cannot be read\n", name, split["examples"].get<int64_t>(),
                     split["bad"].size());
}

}  // namespace

ExitCode check_data(const ExperimentOptions& experiment, bool json, bool quiet) {
  Json splits = Json::object();
  bool good = true;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const Json checked = check_split(experiment.data, split, json, quiet);
    good = good && checked["bad"].empty() && !checked.contains("error");
    splits[to_string(split)] = checked;
  }
  if (json)
    results::print_json(splits);
  else
    print_counts(splits);
  return good ? ExitCode::ok : ExitCode::data;
}

}  // namespace gen::cli
