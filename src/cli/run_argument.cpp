#include "cli/run_argument.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "gen/config/json_text.h"
#include "gen/core/error.h"
#include "gen/core/quote.h"
#include "gen/io/file.h"

namespace gen::cli {
namespace {

namespace fs = std::filesystem;

bool is_run(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "run.json", error) && fs::exists(folder / "config.json", error);
}

// The run that `path` lies in; a run keeps nothing more than three levels down.
std::optional<fs::path> run_around(const fs::path& path) {
  constexpr int kDeepest = 3;
  fs::path folder = path.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // "runs/a/"
  for (int level = 0; level < kDeepest && folder.has_relative_path(); ++level) {
    folder = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
    if (is_run(folder)) return folder;
  }
  return std::nullopt;
}

Json small_json(const fs::path& path) {
  constexpr uint64_t kLargest = 1 << 20;
  try {
    Json value;
    Issues mistakes;
    const bool read =
        parse_json(read_file(path, kLargest), path.string(), value, mistakes, /*comments=*/true);
    return read && value.is_object() ? value : Json::object();
  } catch (const Error&) {
    return Json::object();
  }
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string forward_command(const fs::path& folder) {
  return fmt::format("gen forward {} --in FILE --out FILE",
                     shell_quote_path(folder.empty() ? fs::path(".") : folder));
}

std::string of_a_pipeline(const fs::path& folder) {
  const Json index = small_json(folder / "model_index.json");
  std::vector<std::string> networks;
  for (const auto& [name, part] : index.items()) {
    std::error_code error;
    if (name.find('/') != std::string::npos || name.starts_with(".")) continue;  // a folder beside the index
    if (part.is_array() && part.size() == 2 && part[1] == "UNet2DModel" &&
        fs::is_directory(folder / name, error))
      networks.push_back(forward_command(folder / name));
  }
  return fmt::format("a pipeline of diffusers ({}), not a run of gen{}",
                     text_at(index, "_class_name").empty() ? "of no class" : text_at(index, "_class_name"),
                     networks.empty()
                         ? std::string()
                         : fmt::format("; its network runs by: {}", fmt::join(networks, " or ")));
}

std::string of_a_network(const fs::path& folder, const Json& config) {
  if (const auto type = text_at(config, "model_type"); !type.empty())
    return fmt::format("a model of transformers ({}), not a run of gen", type);
  const auto name = text_at(config, "_class_name");
  if (name.empty() && !config.contains("down_block_types")) return {};
  return fmt::format("a network of diffusers ({}), not a run of gen; it runs by: {}",
                     name.empty() ? "of no class" : name, forward_command(folder));
}

std::string of_a_folder_of_runs(const fs::path& folder, const std::string& command) {
  constexpr size_t kMost = 5;
  std::vector<std::string> runs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_run(entry.path()))
      runs.push_back(fmt::format("\n    {} {}", command, shell_quote_path(entry.path())));
  if (runs.empty()) return {};
  std::sort(runs.begin(), runs.end());
  const size_t all = runs.size();
  runs.resize(std::min(all, kMost));
  return fmt::format("a folder of {} run{}; name one:{}{}", all, all == 1 ? "" : "s", fmt::join(runs, ""),
                     all > kMost ? "\n    ..." : "");
}

std::string of_a_file(const fs::path& file) {
  if (const auto network =
          file.extension() == ".safetensors" || file.filename() == "config.json"
              ? of_a_network(file.parent_path(), small_json(file.parent_path() / "config.json"))
              : "";
      !network.empty())
    return "a file of " + network;
  if (file.extension() == ".safetensors")
    return "a file of weights, not a run's folder; gen inspect tells what it holds";
  const Json content = file.extension() == ".json" ? small_json(file) : Json::object();
  if (content.contains("model") || content.contains("extends"))
    return fmt::format("a config, not a run's folder; train it first: gen train --config {}",
                       shell_quote_path(file));
  return {};
}

// "1000" of .../step_00001000; empty of another folder.
std::string step_of(const fs::path& folder) {
  constexpr std::string_view kStep = "step_";
  const std::string name =
      folder.has_filename() ? folder.filename().string() : folder.parent_path().filename().string();
  const std::string digits = name.starts_with(kStep) ? name.substr(kStep.size()) : "";
  const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
  return number ? digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1)) : "";
}

// What lies at `path`, which is no run, and what to type; empty where nothing is known of it.
std::string what_it_is(const fs::path& path, const std::string& command) {
  std::error_code error;
  if (const auto run = run_around(path)) {
    const bool file = !fs::is_directory(path, error);
    const auto step = file ? "" : step_of(path);
    return fmt::format("a {} of a run; name the run: {} {}{}",
                       !step.empty() ? "checkpoint"
                       : file        ? "file"
                                     : "folder",
                       command, shell_quote_path(*run), step.empty() ? "" : " --checkpoint " + step);
  }
  if (!fs::is_directory(path, error)) return of_a_file(path);
  if (fs::exists(path / "manifest.json", error))
    return "a checkpoint outside its run; name the folder of the run";
  if (fs::exists(path / "model_index.json", error)) return of_a_pipeline(path);
  if (fs::exists(path / "scheduler_config.json", error))
    return "a scheduler of diffusers, which holds no weights; name the folder of a run";
  if (fs::exists(path / "config.json", error))
    if (auto text = of_a_network(path, small_json(path / "config.json")); !text.empty()) return text;
  return of_a_folder_of_runs(path, command);
}

}  // namespace

RunDir open_run(const fs::path& path, const std::string& command) {
  std::error_code error;
  if (!is_run(path) && fs::exists(path, error))
    if (const auto text = what_it_is(path, command); !text.empty())
      throw ConfigError(fmt::format("{}: is {}", path.string(), text));
  return RunDir::open_existing(path);
}

}  // namespace gen::cli
