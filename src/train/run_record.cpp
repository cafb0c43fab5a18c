#include "train/run_record.h"

#include <torch/version.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/file.h"

namespace gen {
namespace {

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

void compare(const Json& before, const Json& now, const std::string& pointer,
             std::vector<std::string>& different) {
  if (free_to_change().contains(pointer) || before == now) return;
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
    compare(before.value(key, Json()), now.value(key, Json()), pointer + "/" + key, different);
}

std::string shown(const Json& config, const std::string& pointer) {
  const auto at = Json::json_pointer(pointer);
  return config.contains(at) ? config.at(at).dump() : "nothing";
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Json command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  Json arguments = Json::array();
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

std::string first_line(const std::filesystem::path& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

/// The commit of the git work tree around the working directory, or null.
Json git_commit() {
  std::error_code error;
  for (auto folder = std::filesystem::current_path(error); !error; folder = folder.parent_path()) {
    const auto git = folder / ".git";
    if (std::filesystem::is_directory(git, error)) {
      const std::string head = first_line(git / "HEAD");
      const std::string commit = head.starts_with("ref: ") ? first_line(git / head.substr(5)) : head;
      return commit.empty() ? Json(nullptr) : Json(commit);
    }
    if (folder == folder.parent_path()) break;
  }
  return nullptr;
}

Json start_note(const Session& session) {
  return {{"time", utc_now()},
          {"argv", command_line()},
          {"gen", GEN_VERSION},
          {"torch", TORCH_VERSION},
          {"git_commit", git_commit()},
          {"device", session.device.str()},
          {"threads", at::get_num_threads()}};
}

}  // namespace

std::string config_hash(const ExperimentOptions& experiment) { return hash_bytes(dump(experiment).dump()); }

std::vector<std::string> conflicting_options(const Json& before, const Json& now) {
  std::vector<std::string> different;
  compare(before, now, "", different);
  return different;
}

void record_start(const RunDir& run, const ExperimentOptions& experiment, const Session& session) {
  const Json config = dump(experiment);
  Json record;
  if (std::filesystem::exists(run.config())) {
    const Json before = read_json(run.config());
    std::string lines;
    for (const auto& pointer : conflicting_options(before, config))
      lines += fmt::format("\n  {}: the run has {}, the config now says {}", pointer, shown(before, pointer),
                           shown(config, pointer));
    if (!lines.empty())
      throw ConfigError(
          fmt::format("{}: cannot resume with another model, data or training:{}\n  put these back, or use "
                      "--overwrite or another --run-dir to begin anew",
                      run.path().string(), lines));
    if (std::filesystem::exists(run.run())) record = read_json(run.run());
    if (record.contains("data") && data_spec_from_json(record["data"]) != session.data->spec())
      throw ConfigError(fmt::format("{}: the data are not those of the run: expected {}, got {}",
                                    run.path().string(), record["data"].dump(),
                                    to_json(session.data->spec()).dump()));
  }
  record["name"] = experiment.name;
  record["seed"] = experiment.seed;
  record["config_hash"] = config_hash(experiment);
  record["data"] = to_json(session.data->spec());
  if (const auto before = record.value("train_examples", session.data->size());
      before != session.data->size())
    log::warning(
        "the run began with {} training examples and there are {} now: their order is another one from here "
        "on",
        before, session.data->size());
  record["train_examples"] = session.data->size();
  record["starts"].push_back(start_note(session));
  write_json(run.config(), config);
  write_json(run.run(), record);
}

}  // namespace gen
