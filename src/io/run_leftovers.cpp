#include "io/run_leftovers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "io/posix.h"
#include "io/run_lock.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kFolders{"checkpoints", "samples", "eval"};
// Of a run that began.
constexpr std::array<const char*, 4> kKept{"config.json", "run.json", "metrics.jsonl", "summary.json"};

bool there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) found.push_back(entry.path());
  return found;
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::is_symlink(path, error);
}

bool is_plain_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(fs::symlink_status(path, error));
}

// The process lives, and is not this one, which has no such files yet.
bool lives(int64_t process) {
  return process > 0 && process != ::getpid() &&
         (::kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM);
}

}  // namespace

void remove_leftovers(const fs::path& run) {
  std::vector<fs::path> folders{run};
  for (const char* name : kFolders)
    if (!is_link(run / name)) folders.push_back(run / name);
  for (const auto& folder : folders)
    for (const auto& path : entries(folder)) {
      const auto owner = temporary_owner(path.filename().string());
      if (!owner || lives(*owner)) continue;
      std::error_code error;
      if (is_plain_file(path))
        fs::remove(path, error);
      else
        remove_checkpoint_folder(path);
      fault_point("remove leftover");
    }
}

bool holds_anything(const fs::path& folder) {
  const auto found = entries(folder);
  return std::any_of(found.begin(), found.end(), [](const fs::path& path) {
    const std::string name = path.filename().string();
    return name != kLockFile && name != MadeList::kFile && !temporary_owner(name);
  });
}

bool never_began(const fs::path& folder, const MadeList& made) {
  if (!made.begun()) return false;
  for (const char* name : kKept)
    if (there(folder / name)) return false;
  for (const char* name : kFolders)
    if (is_link(folder / name) || holds_anything(folder / name)) return false;
  return true;
}

bool remove_attempt(const fs::path& folder) {
  // In the order in which they go, so that a kill leaves a folder that the same command takes.
  const std::vector<fs::path> expected{folder / "samples", folder / "checkpoints", folder / "eval",
                                       folder / "STATUS",  folder / "train.log",   folder / MadeList::kFile,
                                       folder / kLockFile};
  for (const auto& path : entries(folder)) {
    std::error_code error;
    const bool known = std::find(expected.begin(), expected.end(), path) != expected.end();
    const bool empty = fs::is_directory(fs::symlink_status(path, error)) && entries(path).empty();
    if (!known || !(empty || is_plain_file(path))) return false;
  }
  for (const auto& path : expected) {
    std::error_code error;
    fs::remove(path, error);
    fault_point("remove attempt");
  }
  return true;
}

std::vector<std::string> not_of_this_run(const fs::path& folder, const MadeList& made) {
  std::vector<std::string> strange;
  for (const auto& path : entries(folder)) {
    const std::string name = path.filename().string();
    if (name.starts_with("events.out.tfevents."))
      continue;  // each start has one of its own: none is in the way
    if (is_made_name(name) && !(made.lists(name) && is_plain_file(path))) strange.push_back(name);
  }
  const fs::path checkpoints = folder / "checkpoints";
  for (const auto& each : list_checkpoints(checkpoints)) {
    const std::string name = "checkpoints/" + each.folder.filename().string();
    if (is_link(checkpoints) || !made.lists(name) || !is_checkpoint_folder(each.folder))
      strange.push_back(name);
  }
  std::sort(strange.begin(), strange.end());
  return strange;
}

void remove_made(const fs::path& folder, MadeList& made) {
  std::vector<std::string> names(made.names().begin(), made.names().end());
  const auto rank = [](const std::string& name) {
    return name == "config.json" ? 0 : name == "STATUS" ? 2 : 1;
  };
  std::stable_sort(names.begin(), names.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (const auto& name : names) {
    const fs::path path = folder / name;
    const bool linked = path.parent_path() != folder && is_link(path.parent_path());
    if (linked || !there(path)) continue;
    if (name.starts_with("checkpoints/"))
      remove_checkpoint_folder(path);
    else if (is_plain_file(path) && ::unlink(path.c_str()) != 0)
      posix::fail(path, "remove the file");
    fault_point("remove made");
  }
  made.begin();
}

}  // namespace gen
