#include "cli/sample_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/io/file.h"
#include "gen/io/image.h"
#include "gen/io/json_file.h"

namespace gen::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "sample.json";

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error);
}

// Only names that a draw can give: a sample.json from elsewhere is not to have other files removed.
bool is_sample_name(const std::string& name) {
  for (const char* fixed :
       {"grid.png", "scatter.png", "samples.npy", "samples.csv", "samples.safetensors", "labels.npy"})
    if (name == fixed) return true;
  return name.size() >= 9 && name.ends_with(".png") &&
         std::all_of(name.begin(), name.end() - 4, [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool as_written(const fs::path& path, const Json& entry) {
  if (!entry.is_object() || !fs::is_regular_file(status_of(path))) return false;
  std::error_code error;
  return entry.value("bytes", Json()) == fs::file_size(path, error) &&
         entry.value("xxh64", Json()) == hash_file(path);
}

// Of a draw that was cut short only the names are known; a picture says itself who made it.
bool as_planned(const fs::path& path) {
  if (!fs::is_regular_file(status_of(path))) return false;
  if (path.extension() != ".png") return true;
  try {
    const Metadata notes = read_png_text(path);
    const auto software = notes.find("Software");
    return software != notes.end() && software->second.starts_with("gen ");
  } catch (const Error&) {
    return false;
  }
}

bool same_run(const Json& earlier, const Json& now) {
  std::error_code error;
  const auto run = earlier.value("run", Json());
  return earlier.value("config_hash", Json()) == now.at("config_hash") ||
         (run.is_string() && fs::equivalent(run.get<std::string>(), now.at("run").get<std::string>(), error));
}

}  // namespace

fs::path SampleFolder::made(fs::path folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    throw ConfigError(fmt::format("{}: expected a folder for the samples, got a file", folder.string()));
  fs::create_directories(folder, error);
  if (error)
    throw IoError(
        fmt::format("{}: cannot make the folder: {}", folder.string(), os_error_text(error.value())));
  return folder;
}

SampleFolder::SampleFolder(fs::path folder, const Json& provenance, std::vector<std::string> planned,
                           bool overwrite)
    : folder_(made(std::move(folder))),
      lock_(folder_, "wait for that gen sample or stop it, or choose another with --out"),
      provenance_(provenance),
      planned_(std::move(planned)) {
  read_earlier(overwrite);
  for (const auto& name : planned_) check(name, overwrite);
}

void SampleFolder::read_earlier(bool overwrite) {
  const fs::path path = folder_ / kManifest;
  if (status_of(path).type() == fs::file_type::not_found) return;
  Json earlier;
  try {
    if (fs::is_regular_file(status_of(path))) earlier = read_json(path);
  } catch (const DataError&) {
    // Not ours, then.
  }
  const bool ours = earlier.is_object() && earlier.contains("config_hash") && earlier.contains("run");
  if (ours && (overwrite || same_run(earlier, provenance_))) return take(earlier);
  if (ours && !overwrite)
    throw ConfigError(
        fmt::format("{}: the samples there are of another run, {} (choose another --out, or replace them "
                    "with --overwrite)",
                    path.string(), earlier.value("run", Json("unknown")).dump()));
  check(kManifest, overwrite);
}

void SampleFolder::take(const Json& earlier) {
  earlier_.insert(kManifest);
  if (const Json manifest = earlier.value("manifest", Json()); manifest.is_object()) {
    for (const auto& [name, entry] : manifest.items())
      if (is_sample_name(name) && as_written(folder_ / name, entry)) earlier_.insert(name);
    return;
  }
  // Cut short; or by a gen that kept no manifest but the paths of its files.
  for (const auto& each : earlier.value("planned", earlier.value("files", Json::array()))) {
    if (!each.is_string()) continue;
    const std::string name = fs::path(each.get<std::string>()).filename().string();
    if (is_sample_name(name) && as_planned(folder_ / name)) earlier_.insert(name);
  }
}

void SampleFolder::check(const std::string& name, bool overwrite) {
  if (earlier_.contains(name)) return;
  const fs::path path = folder_ / name;
  const auto status = status_of(path);
  if (status.type() == fs::file_type::not_found) return;
  if (!overwrite || fs::is_directory(status))
    throw ConfigError(
        fmt::format("{}: is there and was not written by gen sample as it is (choose another --out{})",
                    path.string(), fs::is_directory(status) ? "" : ", or replace it with --overwrite"));
  yielding_.insert(name);
}

void SampleFolder::note_made(const RunDir& run) const {
  std::error_code error;
  if (!fs::equivalent(folder_, run.samples(), error)) return;
  std::vector<fs::path> files{run.samples() / kManifest};
  for (const auto& name : planned_) files.push_back(run.samples() / name);
  run.note_made(files);
}

void SampleFolder::begin() {
  if (begun_) return;
  begun_ = true;
  const auto remove = [&](const std::string& name) {
    std::error_code error;
    if (!fs::remove(folder_ / name, error) && error)
      throw IoError(
          fmt::format("{}: cannot replace it: {}", (folder_ / name).string(), os_error_text(error.value())));
  };
  for (const auto& name : yielding_) remove(name);  // a link, too, is removed and not written through
  std::set<std::string> names(planned_.begin(), planned_.end());
  names.insert(earlier_.begin(), earlier_.end());  // cut short now, they are left to the next draw
  names.erase(kManifest);
  Json document = provenance_;
  document["complete"] = false;
  document["planned"] = names;
  write_json(folder_ / kManifest, document);
  for (const auto& name : earlier_)
    if (name != kManifest) remove(name);
}

void SampleFolder::finish(Json document, const std::vector<fs::path>& files) const {
  document["complete"] = true;
  Json& manifest = document["manifest"] = Json::object();
  for (const auto& file : files)
    manifest[file.filename().string()] = {{"bytes", fs::file_size(file)}, {"xxh64", hash_file(file)}};
  write_json(folder_ / kManifest, document);
}

}  // namespace gen::cli
