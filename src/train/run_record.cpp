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
#include "train/resume.h"

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

/// How to train with this config where the run may not go on with it.
std::string other_ways(const RunDir& run, const Json& before, const Json& now) {
  if (!made_checkpoints(run))
    return "or begin anew, with --overwrite or another --run-dir (nothing is trained yet)";
  return fmt::format(
      "or begin a new run from the weights of this one:\n    {}\n  or anew, with --overwrite or another "
      "--run-dir",
      warm_start_command(run.path(), before, now));
}

void refuse_other_config(const RunDir& run, const Json& before, const Json& now) {
  const auto conflicts = conflicting_options(before, now);
  if (conflicts.empty()) return;
  throw ConfigError(fmt::format(
      "{}: cannot resume with another model, data or training:{}\n  put these back; {}", run.path().string(),
      difference_lines(conflicts, before, now, "the config now says"), other_ways(run, before, now)));
}

/// The same config over other data is another training.
void refuse_other_data(const RunDir& run, const Json& record, const Session& session, const Json& prints,
                       const Json& config) {
  const JsonFields fields(record, run.run().string());
  std::string difference;
  if (const Json now = to_json(session.data->spec());
      fields.has("data") && data_spec_from_json(fields.object("data")) != session.data->spec())
    difference = "they are of another kind:" + difference_lines(differing_options(record["data"], now),
                                                                record["data"], now, "the data now have");
  // A run of before there were fingerprints knows only how many examples it trains on.
  const Json of_old{
      {"train", {{"examples", fields.get_or<int64_t>("train_examples", session.data->size())}}}};
  const bool old = !record.contains("data_fingerprint");
  Json comparable = prints;
  if (old) comparable.erase("validation");
  if (difference.empty()) difference = data_difference(old ? of_old : record["data_fingerprint"], comparable);
  if (difference.empty()) return;
  throw ConfigError(fmt::format("{}: cannot resume with other data: {}\n  put the data back; {}",
                                run.path().string(), difference, other_ways(run, config, config)));
}

/// A hash is that of one of the starts.
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

void refuse_another_runs(const RunDir& run, const CheckpointInfo& checkpoint, const Json& record,
                         const Json& state, const std::string& way_on) {
  if (was_trained_here(record, state)) return;
  throw DataError(fmt::format(
      "{}: not a checkpoint of this run: its state.json has a config hash that {} does not list ({})",
      checkpoint.folder.string(), run.run().string(), way_on));
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
  const Json prints = data_fingerprint(session);
  Json record = Json::object();
  if (run.mode() == RunMode::resume) {
    check_unedited(run);
    const Json before = read_json(run.config());
    refuse_other_config(run, before, config);
    if (std::filesystem::exists(run.run())) record = read_record(run.run());
    // What nothing was trained on yet may be repaired in any way.
    if (made_checkpoints(run))
      refuse_other_data(run, record, session, prints, before);
    else
      record.erase("data_fingerprint");
  }
  record["name"] = experiment.name;
  record["seed"] = experiment.seed;
  record["config_hash"] = config_hash(experiment);
  record["data"] = to_json(session.data->spec());
  record["train_examples"] = session.data->size();
  record["data_fingerprint"] = record.contains("data_fingerprint")
                                   ? completed_fingerprint(record["data_fingerprint"], prints)
                                   : prints;
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
