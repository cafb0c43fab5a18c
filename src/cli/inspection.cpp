#include "cli/inspection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/run_argument.h"
#include "cli/table.h"
#include "gen/config/document.h"
#include "gen/config/json_text.h"
#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/core/text.h"
#include "gen/core/units.h"
#include "gen/io/checkpoint.h"
#include "gen/io/image.h"
#include "gen/io/json_file.h"
#include "gen/io/run_dir.h"
#include "gen/io/safetensors.h"
#include "gen/train/experiment.h"
#include "gen/train/trainer.h"

namespace gen::cli {
namespace {

namespace fs = std::filesystem;

int64_t elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

uintmax_t size_of(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error)
    throw IoError(
        fmt::format("{}: its size cannot be read: {}", path.string(), os_error_text(error.value())));
  return bytes;
}

// What a folder holds, by name.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  auto it = fs::directory_iterator(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(it->path());
  if (error)
    throw IoError(
        fmt::format("{}: the folder cannot be listed: {}", folder.string(), os_error_text(error.value())));
  std::sort(entries.begin(), entries.end());
  return entries;
}

Json inspect_safetensors(const fs::path& path) {
  const auto header = read_safetensors_header(path);
  Json tensors = Json::array();
  int64_t parameters = 0;
  for (const auto& entry : header.entries) {
    tensors.push_back({{"name", entry.name}, {"dtype", entry.dtype}, {"shape", entry.shape}});
    parameters += elements(entry.shape);
  }
  return {{"kind", "safetensors"}, {"path", path.string()},       {"bytes", size_of(path)},
          {"numbers", parameters}, {"metadata", header.metadata}, {"tensors", tensors}};
}

// The length of a step_00001000 folder's name gives its step.
CheckpointInfo as_checkpoint(const fs::path& folder) {
  std::error_code error;
  for (const auto& each : list_checkpoints(fs::absolute(folder, error).lexically_normal().parent_path()))
    if (fs::equivalent(each.folder, folder, error)) return each;
  return {folder, 0};
}

// "training" where all of it is whole, "sampling" where the weights that are drawn from are, else "nothing".
std::string serves(const CheckpointInfo& checkpoint, const std::string& problem) {
  if (problem.empty()) return "training";
  try {
    const char* weights = checkpoint_has(checkpoint, "ema") ? "ema" : "model";
    return verify_checkpoint(checkpoint, {{weights}}).empty() ? "sampling" : "nothing";
  } catch (const Error&) {
    return "nothing";
  }
}

Json inspect_checkpoint(const fs::path& folder) {
  const auto checkpoint = as_checkpoint(folder);
  const std::string problem = verify_checkpoint(checkpoint);
  const std::string use = serves(checkpoint, problem);
  if (use == "nothing")
    throw DataError(fmt::format("{}: not a whole checkpoint: {}", folder.string(), problem));
  Json files = Json::array();
  for (const auto& file : entries_of(folder)) {
    if (file.extension() != ".safetensors") continue;
    const auto header = read_safetensors_header(file);
    int64_t count = 0;
    for (const auto& tensor : header.entries) count += elements(tensor.shape);
    files.push_back({{"file", file.filename().string()},
                     {"tensors", header.entries.size()},
                     {"numbers", count},
                     {"bytes", size_of(file)}});
  }
  return {{"kind", "checkpoint"},
          {"path", folder.string()},
          {"step", checkpoint.step},
          {"verified", problem.empty()},
          {"serves", use},
          {"problem", problem.empty() ? Json(nullptr) : Json(problem)},
          {"state", load_checkpoint_state(checkpoint)},
          {"files", files}};
}

Json last_line(const fs::path& path) {
  constexpr std::streamoff kLastBytes = 1 << 20;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return nullptr;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  in.seekg(std::max<std::streamoff>(0, in.tellg() - kLastBytes));
  std::string last;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) last = std::move(line);
  Json value;
  Issues mistakes;
  return parse_json(last, "", value, mistakes) ? value : Json(nullptr);
}

Json summary_of(const ExperimentOptions& experiment) {
  return {{"name", experiment.name},         {"model", experiment.model.type},
          {"data", experiment.data.type},    {"seed", experiment.seed},
          {"steps", experiment.train.steps}, {"batch_size", experiment.train.batch_size}};
}

std::string status_of(const RunDir& run) {
  const std::string status = run.status();
  if (status != "running" || run.in_use()) return status;
  return "killed: no process trains there (gen train --resume goes on)";
}

Json inspect_run(const fs::path& folder) {
  const RunDir run = RunDir::open_existing(folder);
  Json findings = {{"kind", "run"}, {"path", folder.string()}, {"status", status_of(run)}};
  findings.update(summary_of(load_experiment(run.config(), {}, {.check_paths = false})));
  Json checkpoints = Json::array();
  for (const auto& each : list_checkpoints(run.checkpoints())) {
    const auto problem = verify_checkpoint(each);
    checkpoints.push_back({{"step", each.step},
                           {"folder", each.folder.string()},
                           {"serves", serves(each, problem)},
                           {"problem", problem.empty() ? Json(nullptr) : Json(problem)}});
  }
  const auto best = best_checkpoint(run);
  findings["best_step"] = best ? Json(best->step) : Json(nullptr);
  findings["best_validation"] = best ? Json(best->validation) : Json(nullptr);
  findings["checkpoints"] = checkpoints;
  findings["last_metrics"] = last_line(run.metrics());
  for (const auto& [key, part] : {std::pair{"pictures", run.samples()}, std::pair{"scores", run.eval()}}) {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(part, none)) files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    findings[key] = files;
  }
  return findings;
}

Json inspect_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "run.json", error)) return inspect_run(folder);
  if (fs::exists(folder / "manifest.json", error) || folder.filename().string().starts_with("step_"))
    return inspect_checkpoint(folder);
  if (fs::exists(folder / "config.json", error)) {
    Json findings = {
        {"kind", "network folder"}, {"path", folder.string()}, {"config", read_json(folder / "config.json")}};
    for (const auto& file : entries_of(folder))
      if (file.extension() == ".safetensors") findings["files"].push_back(inspect_safetensors(file));
    return findings;
  }
  if (fs::exists(folder / "model_index.json"))
    return {{"kind", "pipeline folder"},
            {"path", folder.string()},
            {"parts", read_json(folder / "model_index.json")}};
  open_run(folder, "gen inspect");  // tells what else it is
  throw ConfigError(
      fmt::format("{}: neither a run, a checkpoint nor a folder with config.json", folder.string()));
}

Json inspect_image(const fs::path& path) {
  const Image image = read_image(path);
  return {{"kind", "image"},
          {"path", path.string()},
          {"width", image.width},
          {"height", image.height},
          {"channels", image.channels}};
}

Json inspect_json(const fs::path& path) {
  Issues issues;
  if (Document::read(path, issues).root().contains("model")) {  // which may have comments, and a base
    Json findings = {{"kind", "config"}, {"path", path.string()}};
    findings.update(summary_of(load_experiment(path, {}, {.check_paths = false})));
    return findings;
  }
  return {{"kind", "json"}, {"path", path.string()}, {"content", read_json(path)}};
}

Json inspect_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError(fmt::format("{}: cannot be read: {}", path.string(), os_error_text(errno)));
  std::string start(16, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<size_t>(in.gcount()));
  if (start.starts_with("\x89PNG")) {
    Json findings = inspect_image(path);
    findings["text"] = read_png_text(path);
    return findings;
  }
  if (start.starts_with("\xff\xd8")) return inspect_image(path);
  const auto extension = path.extension();
  if (extension == ".json") return inspect_json(path);
  if (extension == ".safetensors" || (start.size() >= 9 && start[8] == '{')) return inspect_safetensors(path);
  throw ConfigError(fmt::format(
      "{}: expected a run or checkpoint folder, .safetensors, .json, PNG or JPEG file", path.string()));
}

std::string scalar_text(const Json& value) {
  return value.is_string() ? printable_line(value.get<std::string>())
                           : value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string row_text(const std::string& key, const Json& value) {
  if (key == "bytes" && value.is_number()) return human_bytes(value.get<double>());
  if (key == "numbers" && value.is_number_integer())
    return fmt::format("{} ({})", human_count(value.get<int64_t>()), value.get<int64_t>());
  return value.is_null() ? "none" : scalar_text(value);
}

// A list of objects of the same keys is a table, all else a line each.
std::string list_text(const Json& list) {
  if (!list.front().is_object()) {
    constexpr size_t kShown = 12;
    std::string lines;
    for (size_t i = 0; i < std::min(list.size(), kShown); ++i) lines += "  " + scalar_text(list[i]) + "\n";
    if (list.size() > kShown) lines += fmt::format("  ... and {} more\n", list.size() - kShown);
    return lines;
  }
  std::vector<std::string> header;
  for (const auto& item : list.front().items()) header.push_back((header.empty() ? "  " : "") + item.key());
  std::vector<std::vector<std::string>> rows;
  for (const auto& each : list) {
    std::vector<std::string> row;
    for (const auto& item : each.items())
      row.push_back((row.empty() ? "  " : "") + row_text(item.key(), item.value()));
    rows.push_back(row);
  }
  return table(header, rows);
}

}  // namespace

Json inspect(const fs::path& path, const std::string& checkpoint) {
  std::error_code error;
  if (!fs::exists(path, error))
    throw ConfigError(fmt::format("{}: {}", path.string(),
                                  error ? os_error_text(error.value()) : "no such file or folder"));
  if (!checkpoint.empty())
    return inspect_checkpoint(choose_checkpoint(RunDir::open_existing(path), {false, checkpoint}).folder);
  return fs::is_directory(path, error) ? inspect_folder(path) : inspect_file(path);
}

std::string as_text(const Json& findings) {
  std::vector<std::vector<std::string>> facts;
  std::string lists;
  for (const auto& [key, value] : findings.items()) {
    if (value.is_array()) {
      if (!value.empty()) lists += key + ":\n" + list_text(value);
    } else if (value.is_object()) {
      if (value.empty()) continue;
      lists += key + ":\n";
      std::vector<std::vector<std::string>> rows;
      for (const auto& item : value.items()) rows.push_back({"  " + item.key(), scalar_text(item.value())});
      lists += table({}, rows);
    } else if (!value.is_null()) {
      facts.push_back({key, row_text(key, value)});
    }
  }
  std::string text = table({}, facts) + lists;
  text.pop_back();
  return text;
}

}  // namespace gen::cli
