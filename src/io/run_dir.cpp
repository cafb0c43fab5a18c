#include "gen/io/run_dir.h"

#include <fmt/format.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "gen/core/log.h"
#include "gen/core/nearest.h"
#include "gen/core/text.h"
#include "gen/io/file.h"
#include "gen/io/folder_lock.h"
#include "io/posix.h"
#include "io/run_checks.h"
#include "io/run_leftovers.h"
#include "io/run_lock.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

// Returns those that it made, the outermost first.
std::vector<fs::path> make_folder(const fs::path& folder) {
  std::error_code error;
  const bool link = fs::is_symlink(folder, error);
  if (link && !fs::exists(folder, error))
    throw IoError(fmt::format("{}: a link to {}, which is not there (mount that disk, or remove the link)",
                              folder.string(), fs::read_symlink(folder, error).string()));
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    throw ConfigError(fmt::format(
        "{}: expected a folder for the run, got a file (choose another with --run-dir)", folder.string()));
  std::vector<fs::path> made;
  for (fs::path each = fs::absolute(folder, error).lexically_normal();
       each.has_relative_path() && !fs::exists(each, error); each = each.parent_path())
    if (each.has_filename()) made.insert(made.begin(), each);
  fs::create_directories(folder, error);
  if (error) {
    errno = error.value();
    posix::fail(folder, "create the folder");
  }
  fault_point("make folder");
  return made;
}

// A run of before the list was kept, or that lost it: its fixed files are its own. Its checkpoints are no longer removed.
void adopt(const fs::path& folder, MadeList& made) {
  made.begin();
  for (const char* name :
       {"config.json", "run.json", "STATUS", "train.log", "metrics.jsonl", "summary.json"}) {
    std::error_code error;
    if (fs::is_regular_file(fs::symlink_status(folder / name, error))) made.add({name});
  }
  log::warning("{}: made.txt is missing: checkpoints that are there now will not be removed by keep_last",
               folder.string());
}

}  // namespace

struct RunDir::Held {
  posix::Descriptor lock;
  HeldFolder folder;
  std::vector<fs::path> made;  // folders that were not there before, this one and those around it
};

RunDir::RunDir(fs::path path, RunMode mode, std::unique_ptr<Held> held)
    : path_(std::move(path)), mode_(mode), made_(std::make_unique<MadeList>(path_)), held_(std::move(held)) {}

RunDir::~RunDir() = default;
RunDir::RunDir(RunDir&&) noexcept = default;
RunDir& RunDir::operator=(RunDir&&) noexcept = default;

RunDir RunDir::open_for_training(const fs::path& folder, RunMode mode) {
  // A mistyped folder is not created by a resume, nor is a lock left in a folder that is not a run's.
  if (mode == RunMode::resume) open_existing(folder);
  auto made = make_folder(folder);
  check_begins_in(folder, mode);
  posix::Descriptor lock = lock_run(folder);
  check_begins_in(folder, mode);  // another process may have begun a run meanwhile
  check_links(folder);
  remove_leftovers(folder);
  RunDir run(folder, mode, std::make_unique<Held>(std::move(lock), HeldFolder(folder), std::move(made)));
  try {
    run.begin();
  } catch (...) {
    run.withdraw();
    throw;
  }
  return run;
}

void RunDir::begin() {
  if (mode_ == RunMode::overwrite && made_->begun()) {
    std::error_code error;
    std::optional<FolderLock> drawn;
    if (fs::is_directory(samples(), error))
      drawn.emplace(samples(),
                    "wait for that gen sample or stop it, or choose another folder with --run-dir");
    remove_made(path_, *made_);
  }
  if (!made_->begun()) mode_ == RunMode::resume ? adopt(path_, *made_) : made_->begin();
  // A run that is resumed keeps its word until training goes on: the resume may yet be refused.
  if (mode_ != RunMode::resume) set_status("running");
  for (const auto& each : {samples(), checkpoints(), eval()}) make_folder(each);
}

void RunDir::withdraw() const {
  if (!held_ || held_->made.empty() || !in_place() || !remove_attempt(path_)) return;
  std::error_code error;
  for (auto each = held_->made.rbegin(); each != held_->made.rend(); ++each)
    if (!fs::remove(*each, error)) return;  // what is not empty is of use to others
}

RunDir RunDir::open_existing(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    const fs::path absolute = fs::absolute(folder).lexically_normal();
    const fs::path named = absolute.has_filename() ? absolute : absolute.parent_path();
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(named.parent_path(), error))
      if (fs::exists(entry.path() / "config.json", error)) names.push_back(entry.path().filename().string());
    throw ConfigError(fmt::format("{}: expected a run's folder, got {}{}", folder.string(),
                                  fs::exists(folder, error) ? "a file" : "nothing there",
                                  did_you_mean(named.filename().string(), names)));
  }
  const auto config = fs::status(folder / "config.json", error);
  if (!fs::exists(config))
    throw ConfigError(fmt::format("{}: not a run's folder: config.json is missing{}", folder.string(),
                                  what_is_missing(folder)));
  if (!fs::is_regular_file(config))
    throw ConfigError(fmt::format("{}: not a run's folder: config.json is {}", folder.string(),
                                  fs::is_directory(config) ? "a folder" : "a device or a pipe"));
  return RunDir(folder, RunMode::resume, nullptr);
}

std::string RunDir::name_of(const fs::path& file) const {
  return file.lexically_relative(path_).generic_string();
}

void RunDir::claim(const fs::path& file) const {
  check_in_place();
  const std::string name = name_of(file);
  std::error_code error;
  const auto status = fs::symlink_status(file, error);
  if (fs::is_symlink(status))
    throw IoError(fmt::format("{}: a link to {}: gen writes no file of a run through a link (move it away)",
                              file.string(), fs::read_symlink(file, error).string()));
  if (!made_->begun()) return;
  if (fs::exists(status) && !made_->lists(name)) made_->read_again();  // another gen eval may have made it
  if (fs::exists(status) && !made_->lists(name))
    throw IoError(
        fmt::format("{}: not written, because this run did not make the one that is there (move it away)",
                    file.string()));
  made_->add({name});
}

void RunDir::note_made(const std::vector<fs::path>& files) const {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(name_of(file));
  if (made_->begun()) made_->add(names);
}

void RunDir::note_finished(const fs::path& checkpoint) const {
  if (made_->begun()) made_->finish(name_of(checkpoint));
}

bool RunDir::made(const fs::path& file) const { return made_->lists(name_of(file)); }

void RunDir::disclaim(const fs::path& file) const { made_->drop(name_of(file)); }

bool RunDir::in_place() const { return !held_ || held_->folder.is_at(path_); }

void RunDir::check_in_place() const {
  if (in_place()) return;
  const std::string place = held_->folder.place();
  throw RunFolderGone(fmt::format("{}: the run's folder was {} while it trained{}", path_.string(),
                                  place.empty() ? "deleted" : fmt::format("moved to {}", place),
                                  fs::exists(path_) ? ", and another is in its place" : ""));
}

bool RunDir::in_use() const { return run_is_locked(path_); }

void RunDir::set_status(const std::string& status) const {
  claim(path_ / "STATUS");
  write_file_atomically(path_ / "STATUS", printable_line(status) + "\n");
}

std::string RunDir::status() const {
  std::error_code error;
  if (!fs::exists(path_ / "STATUS", error)) return {};
  std::string text = read_file(path_ / "STATUS", 1 << 16);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

fs::path free_sibling(const fs::path& folder, const std::string& ending) {
  std::error_code error;
  fs::path named = folder.lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  if (named.filename() == "." || named.filename() == "..") named = fs::canonical(folder, error);
  fs::path place = named.string() + ending;
  for (int i = 2; fs::exists(fs::symlink_status(place, error)); ++i)
    place = fmt::format("{}{}-{}", named.string(), ending, i);
  return place;
}

}  // namespace gen
