#include "gen/io/run_dir.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "gen/core/log.h"
#include "gen/core/nearest.h"
#include "gen/core/text.h"
#include "gen/io/file.h"
#include "io/posix.h"
#include "io/run_leftovers.h"
#include "io/run_lock.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder) {
  std::error_code error;
  const bool link = fs::is_symlink(folder, error);
  if (link && !fs::exists(folder, error))
    throw IoError(fmt::format("{}: a link to {}, which is not there (mount that disk, or remove the link)",
                              folder.string(), fs::read_symlink(folder, error).string()));
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    throw ConfigError(fmt::format(
        "{}: expected a folder for the run, got a file (choose another with --run-dir)", folder.string()));
  fs::create_directories(folder, error);
  if (error) {
    errno = error.value();
    posix::fail(folder, "create the folder");
  }
  fault_point("make folder");
}

// Of a folder that --resume, sample or eval was given.
std::string what_is_missing(const fs::path& folder) {
  std::error_code error;
  if (never_began(folder, MadeList(folder))) return " (the run never began: train it first)";
  if (fs::exists(folder / "run.json", error))
    return fmt::format(
        " (put it back; gen train --resume writes it again from run.json where that holds the config)");
  return "";
}

void check_begins_in(const fs::path& folder, RunMode mode) {
  if (mode == RunMode::resume || !holds_anything(folder)) return;
  const MadeList made(folder);
  if (mode == RunMode::create && !never_began(folder, made)) {
    const bool lost = made.begun() && !fs::exists(folder / "config.json");
    throw ConfigError(
        fmt::format("{}: the run folder is not empty{} (continue it with --resume, start anew with "
                    "--overwrite, or choose another with --run-dir)",
                    folder.string(), lost ? ": it holds a run that lost its config.json" : ""));
  }
  if (mode == RunMode::overwrite && !made.begun())
    throw ConfigError(fmt::format(
        "{}: not overwritten, because it is not a run's folder: it holds no {}, gen's list of what "
        "it made there (choose another with --run-dir, or empty it yourself)",
        folder.string(), MadeList::kFile));
  const auto strange = not_of_this_run(folder, made);
  if (mode == RunMode::overwrite && !strange.empty())
    throw ConfigError(
        fmt::format("{}: not overwritten, because {} {} not made by this run, or a link: gen deletes neither "
                    "(move it away, or choose another folder with --run-dir)",
                    folder.string(), fmt::join(strange, ", "), strange.size() == 1 ? "was" : "were"));
}

// Told before anything is done, not when the file is written; and a pipe would never be.
void check_links(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_made_name(entry.path().filename().string())) continue;
    if (entry.is_symlink(error))
      throw IoError(fmt::format("{}: a link to {}: gen writes no file of a run through a link (move it away)",
                                entry.path().string(), fs::read_symlink(entry.path(), error).string()));
    if (!entry.is_regular_file(error))
      throw IoError(fmt::format("{}: expected a file of the run, got {} (move it away)",
                                entry.path().string(),
                                entry.is_directory(error) ? "a folder" : "a device or a pipe"));
  }
  if (fs::is_symlink(folder / "checkpoints", error))
    log::warning(
        "{}: a link, through which nothing is deleted: train.keep_last has no effect (to keep a run on "
        "another "
        "disk, link its whole folder)",
        (folder / "checkpoints").string());
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
};

RunDir::RunDir(fs::path path, RunMode mode, std::unique_ptr<Held> held)
    : path_(std::move(path)), mode_(mode), made_(std::make_unique<MadeList>(path_)), held_(std::move(held)) {}

RunDir::~RunDir() = default;
RunDir::RunDir(RunDir&&) noexcept = default;
RunDir& RunDir::operator=(RunDir&&) noexcept = default;

RunDir RunDir::open_for_training(const fs::path& folder, RunMode mode) {
  // A mistyped folder is not created by a resume, nor is a lock left in a folder that is not a run's.
  if (mode == RunMode::resume) open_existing(folder);
  make_folder(folder);
  check_begins_in(folder, mode);
  posix::Descriptor lock = lock_run(folder);
  check_begins_in(folder, mode);  // another process may have begun a run meanwhile
  check_links(folder);
  remove_leftovers(folder);
  RunDir run(folder, mode, std::make_unique<Held>(std::move(lock), HeldFolder(folder)));
  if (mode == RunMode::overwrite && run.made_->begun()) remove_made(folder, *run.made_);
  if (!run.made_->begun()) mode == RunMode::resume ? adopt(folder, *run.made_) : run.made_->begin();
  // A run that is resumed keeps its word until training goes on: the resume may yet be refused.
  if (mode != RunMode::resume) run.set_status("running");
  for (const auto& each : {run.samples(), run.checkpoints(), run.eval()}) make_folder(each);
  return run;
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
