#include "train/config_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "gen/core/quote.h"
#include "gen/io/run_dir.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

const std::set<std::string>& free_to_change() {
  static const std::set<std::string> pointers{"/name",
                                              "/device",
                                              "/sample",
                                              "/eval",
                                              "/data/path",
                                              "/data/on_error",
                                              "/data/max_skipped",
                                              "/train/steps",
                                              "/train/log_every",
                                              "/train/checkpoint_every",
                                              "/train/keep_last",
                                              "/train/validate_every",
                                              "/train/validation_batches",
                                              "/train/sample_every",
                                              "/train/sample_count",
                                              "/train/early_stop",
                                              "/train/data_workers",
                                              "/train/threads",
                                              "/train/nan_policy",
                                              "/train/nan_budget"};
  return pointers;
}

using Allowed = std::set<std::string>;

void compare(const Json& before, const Json& now, const std::string& pointer, const Allowed& allowed,
             std::vector<std::string>& different) {
  if (allowed.contains(pointer) || before == now) return;
  if (!before.is_object() || !now.is_object()) {
    different.push_back(pointer);
    return;
  }
  // The options of another type have nothing to be compared with.
  if (before.value("type", Json()) != now.value("type", Json())) {
    different.push_back(pointer + "/type");
    return;
  }
  std::set<std::string> keys;
  for (const auto* each : {&before, &now})
    for (const auto& item : each->items()) keys.insert(item.key());
  for (const auto& key : keys)
    compare(before.value(key, Json()), now.value(key, Json()), pointer + "/" + json_pointer_key(key), allowed,
            different);
}

std::string shown(const Json& config, const std::string& pointer) {
  const auto at = Json::json_pointer(pointer);
  return config.contains(at) ? config.at(at).dump() : "nothing";
}

// "train.optimizer.lr=0.001"; of another type, the whole component.
std::string assignment(const Json& now, std::string pointer) {
  if (pointer.ends_with("/type")) pointer.resize(pointer.size() - std::string("/type").size());
  std::string key = pointer.substr(1);
  std::replace(key.begin(), key.end(), '/', '.');
  const auto at = Json::json_pointer(pointer);
  return key + "=" + (now.contains(at) ? now.at(at).dump() : "null");
}

}  // namespace

std::vector<std::string> differing_options(const Json& before, const Json& now) {
  std::vector<std::string> different;
  compare(before, now, "", {}, different);
  return different;
}

std::vector<std::string> conflicting_options(const Json& before, const Json& now) {
  std::vector<std::string> different;
  compare(before, now, "", free_to_change(), different);
  return different;
}

std::string difference_lines(const std::vector<std::string>& pointers, const Json& before, const Json& now,
                             const std::string& what) {
  std::string lines;
  for (const auto& pointer : pointers)
    lines += fmt::format("\n  {}: the run has {}, {} {}", pointer, shown(before, pointer), what,
                         shown(now, pointer));
  return lines;
}

std::string warm_start_command(const fs::path& run, const Json& before, const Json& now) {
  std::string command = "gen train --config " + shell_quote_path(run / "config.json");
  for (const auto& pointer : differing_options(before, now))
    if (pointer != "/name") command += " --set " + shell_quote(assignment(now, pointer));
  return command + fmt::format(" --init-from {} --run-dir {}", shell_quote_path(run),
                               shell_quote_path(free_sibling(run, "-tuned")));
}

}  // namespace gen
