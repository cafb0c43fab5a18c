#include "io/checkpoint_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
#include "gen/io/made_list.h"
#include "gen/io/run_dir.h"
#include "io/posix.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

// What a checkpoint whose manifest cannot be read may hold.
const std::set<std::string>& usual_files() {
  static const std::set<std::string> names{"manifest.json", "state.json", "model.safetensors",
                                           "ema.safetensors", "optimizer.safetensors"};
  return names;
}

std::set<std::string> files_of(const fs::path& folder) {
  std::set<std::string> names = usual_files();
  try {
    const Json manifest = read_json(folder / "manifest.json");
    for (const auto& item : manifest.at("files").items()) names.insert(item.key());
  } catch (const std::exception&) {
    // Damaged, or not there yet.
  }
  return names;
}

// The folder's entries, or nothing where one of them is not gen's.
std::optional<std::vector<fs::path>> own_files(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(folder, error))) return std::nullopt;
  const auto names = files_of(folder);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool own = names.contains(name) || temporary_owner(name);
    if (!own || !fs::is_regular_file(entry.symlink_status(error))) return std::nullopt;
    files.push_back(entry.path());
  }
  if (error) return std::nullopt;
  return files;
}

}  // namespace

bool is_checkpoint_folder(const fs::path& folder) { return own_files(folder).has_value(); }

bool remove_checkpoint_folder(const fs::path& folder) {
  auto files = own_files(folder);
  if (!files) return false;
  // The manifest goes last: it tells the names of the others to whoever ends what a kill cut short.
  std::stable_partition(files->begin(), files->end(),
                        [](const fs::path& file) { return file.filename() != "manifest.json"; });
  for (const auto& file : *files) {
    ::unlink(file.c_str());
    fault_point("remove file");
  }
  return ::rmdir(folder.c_str()) == 0;
}

void set_aside(const fs::path& folder, const fs::path& place) {
  std::error_code error;
  for (int i = 1; i < 1000; ++i) {
    const fs::path aside = place.string() + (i == 1 ? ".set-aside" : fmt::format(".set-aside-{}", i));
    if (fs::exists(fs::symlink_status(aside, error))) continue;
    if (::rename(folder.c_str(), aside.c_str()) == 0)
      log::warning("{}: what was there holds files that gen did not make, and is now {}", place.string(),
                   aside.string());
    return;
  }
}

void set_aside(const fs::path& folder) { set_aside(folder, folder); }

std::vector<fs::path> prune_checkpoints(const fs::path& checkpoints, const PruneRule& rule) {
  GEN_CHECK(rule.keep_last >= 1, "keep_last is {}: the newest checkpoint is never removed", rule.keep_last);
  std::vector<fs::path> removed;
  std::error_code error;
  if (fs::is_symlink(checkpoints, error)) return removed;
  int64_t kept = 0;
  for (const auto& each : list_checkpoints(checkpoints)) {
    if (!rule.made(each) || !is_checkpoint_folder(each.folder)) continue;
    if (kept < rule.keep_last) {
      kept += rule.whole(each) ? 1 : 0;
      continue;
    }
    if (std::ranges::find(rule.keep_steps, each.step) != rule.keep_steps.end()) continue;
    // Renamed first: a removal that is cut short leaves a temporary folder, not half a checkpoint.
    const fs::path doomed = checkpoints / fmt::format(".tmp-{}-pruned", each.folder.filename().string());
    remove_checkpoint_folder(doomed);  // of a removal that was cut short
    if (fs::exists(fs::symlink_status(doomed, error))) continue;
    if (::rename(each.folder.c_str(), doomed.c_str()) != 0) posix::fail(each.folder, "remove the checkpoint");
    fault_point("rename pruned folder");
    remove_checkpoint_folder(doomed);
    removed.push_back(each.folder);
  }
  return removed;
}

}  // namespace gen
