#include "train/run_record.h"

#include <torch/version.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
#include "train/config_changes.h"
#include "train/data_fingerprint.h"

namespace gen {
namespace {

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

Json start_note(const Session& session, const std::string& hash) {
  return {{"time", utc_now()},
          {"argv", command_line()},
          {"gen", GEN_VERSION},
          {"torch", TORCH_VERSION},
          {"git_commit", git_commit()},
          {"device", session.device.str()},
          {"threads", at::get_num_threads()},
          {"config_hash", hash}};
}

std::string hash_of(const Json& config) {
  return hash_bytes(config.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
}

Json fingerprints(const Session& session) {
  const auto print = [](const Dataset& data) {
    return Json{{"examples", data.size()}, {"hashes", data_fingerprint(data)}};
  };
  Json prints{{"train", print(*session.data)}};
  if (session.validation) prints["validation"] = print(*session.validation);
  return prints;
}

void refuse_other_config(const RunDir& run, const Json& before, const Json& now) {
  const auto conflicts = conflicting_options(before, now);
  if (conflicts.empty()) return;
  throw ConfigError(
      fmt::format("{}: cannot resume with another model, data or training:{}\n  put these back; or begin a "
                  "new run from the "
                  "weights of this one:\n    {}\n  or anew, with --overwrite or another --run-dir",
                  run.path().string(), difference_lines(conflicts, before, now, "the config now says"),
                  warm_start_command(run.path(), before, now)));
}

/// The same config over other data is another training.
void refuse_other_data(const RunDir& run, const Json& record, const Json& prints, const Session& session,
                       const Json& config) {
  const JsonFields fields(record, run.run().string());
  const std::string way =
      fmt::format("put the data back; or begin a new run from the weights of this one:\n    {}",
                  warm_start_command(run.path(), config, config));
  if (record.contains("data") && data_spec_from_json(fields.object("data")) != session.data->spec())
    throw ConfigError(fmt::format("{}: the data are not those of the run: expected {}, got {}\n  {}",
                                  run.path().string(), record["data"].dump(),
                                  to_json(session.data->spec()).dump(), way));
  if (const auto before = fields.get_or<int64_t>("train_examples", session.data->size());
      before != session.data->size()) {
    log::warning(
        "the run began with {} training examples and there are {} now: their order is another one from here "
        "on",
        before, session.data->size());
    return;
  }
  const auto hashes = [](const Json& print) { return print.at("hashes").get<std::vector<std::string>>(); };
  const Json earlier = record.value("data_fingerprint", Json::object());
  for (const auto& [split, before] : earlier.items())
    if (prints.contains(split) && prints[split]["examples"] == before.at("examples") &&
        !may_be_same(hashes(before), hashes(prints[split])))
      throw ConfigError(fmt::format(
          "{}: cannot resume with other data: as many examples of the same kind, but not the same "
          "ones ({} split)\n  {}",
          run.path().string(), split, way));
}

}  // namespace

std::string config_hash(const ExperimentOptions& experiment) { return hash_of(dump(experiment)); }

Json read_record(const std::filesystem::path& file) {
  Json record = read_json(file);
  const JsonFields fields(record, file.string());
  fields.get_or<std::string>("config_hash", "");
  if (fields.has("data_fingerprint")) fields.object("data_fingerprint");
  if (fields.has("init_from"))
    for (const char* key : {"file", "kind", "xxh64"}) fields.object("init_from").get_or<std::string>(key, "");
  if (!fields.has("starts")) return record;
  if (!record["starts"].is_array())
    throw DataError(fmt::format("{}: expected a list of objects", fields.where("starts")));
  for (const auto& start : record["starts"])
    JsonFields(start, file.string(), "/starts").get_or<std::string>("config_hash", "");
  return record;
}

void check_unedited(const RunDir& run) {
  std::error_code error;
  if (!std::filesystem::exists(run.run(), error)) return;
  const Json record = read_record(run.run());
  const std::string expected = record.value("config_hash", "");
  const Json config = read_json(run.config());
  if (expected.empty() || hash_of(config) == expected) return;
  const Json before = record.value("config", Json());
  if (!before.is_object() || hash_of(before) != expected)
    throw ConfigError(fmt::format(
        "{}: not the config that the run was trained with: its hash is {}, run.json has {} (put the "
        "old one back; to sample or score with other settings use --set)",
        run.config().string(), hash_of(config), expected));
  const auto conflicts = conflicting_options(before, config);
  if (!conflicts.empty())
    throw ConfigError(fmt::format(
        "{}: not the config that the run was trained with:{}\n  put these back (run.json holds the config of "
        "the run); or begin a new run from its weights:\n    {}",
        run.config().string(), difference_lines(conflicts, before, config, "the file now says"),
        warm_start_command(run.path(), config, config)));
  log::warning("{}: edited since the run began:{}", run.config().string(),
               difference_lines(differing_options(before, config), before, config, "the file now says"));
}

bool was_trained_here(const Json& record, const Json& state) {
  const std::string hash = state.value("config_hash", "");
  if (hash.empty() || hash == record.value("config_hash", hash)) return true;
  bool noted = false;
  for (const auto& start : record.value("starts", Json::array())) {
    const std::string each = start.value("config_hash", "");
    if (each.empty() || each == hash) noted = true;
  }
  return noted;
}

bool restore_lost_config(const std::filesystem::path& folder) {
  std::error_code error;
  const auto config = folder / "config.json", run = folder / "run.json";
  if (std::filesystem::exists(config, error) || !std::filesystem::is_regular_file(run, error)) return false;
  const Json record = read_record(run);
  const Json kept = record.value("config", Json());
  if (!kept.is_object() || hash_of(kept) != record.value("config_hash", "")) return false;
  log::warning("{}: was missing and is written again from run.json", config.string());
  write_json(config, kept);
  return true;
}

Json make_record(const RunDir& run, const ExperimentOptions& experiment, const Session& session) {
  const Json config = dump(experiment);
  const Json prints = fingerprints(session);
  Json record = Json::object();
  if (run.mode() == RunMode::resume) {
    check_unedited(run);
    const Json before = read_json(run.config());
    refuse_other_config(run, before, config);
    if (std::filesystem::exists(run.run())) record = read_record(run.run());
    refuse_other_data(run, record, prints, session, before);
  }
  record["name"] = experiment.name;
  record["seed"] = experiment.seed;
  record["config_hash"] = config_hash(experiment);
  record["data"] = to_json(session.data->spec());
  const bool same_size = record.value("train_examples", Json()) == session.data->size();
  record["train_examples"] = session.data->size();
  if (!same_size || !record.contains("data_fingerprint")) record["data_fingerprint"] = prints;
  record["config"] = config;
  record["starts"].push_back(start_note(session, config_hash(experiment)));
  return record;
}

void write_record(const RunDir& run, const Json& record) {
  for (const auto& file : {run.config(), run.run()}) run.claim(file);
  write_json(run.config(), record.at("config"));
  write_json(run.run(), record);
}

}  // namespace gen
