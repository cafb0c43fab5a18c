#include "gen/io/run_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/nearest.h"
#include "gen/io/file.h"
#include "io/posix.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

// What a run makes, and so what overwriting removes; events.out.tfevents.* besides. run.json and STATUS are
// what tells a run's folder from any other, so they go last.
constexpr const char* kMade[] = {"checkpoints", "samples",     "eval",     "metrics.jsonl", "skipped.jsonl", "summary.json",
                                 "train.log",   "config.json", "run.json", "STATUS"};
constexpr const char* kLock = ".lock";

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error))
    throw ConfigError(fmt::format(
        "{}: expected a folder for the run, got a file (choose another with --run-dir)", folder.string()));
  fs::create_directories(folder, error);
  if (error) throw IoError(fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
}

int lock_folder(const fs::path& folder) {
  const fs::path path = folder / kLock;
  posix::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) posix::fail(folder, "write to the run folder");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      std::string owner = read_file(path, 64);
      while (!owner.empty() && owner.back() == '\n') owner.pop_back();
      throw ConfigError(
          fmt::format("{}: the run folder is in use by another process{} (wait for it, stop it, or choose "
                      "another folder with --run-dir)",
                      folder.string(), owner.empty() ? "" : fmt::format(", number {}", owner)));
    }
    log::warning("{}: this file system has no locks; do not train twice into one folder", folder.string());
  }
  const std::string owner = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0) posix::fail(path, "write");
  posix::write_all(file.get(), path, owner.data(), owner.size());
  return file.release();
}

bool holds_anything(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename() != kLock) return true;
  return false;
}

bool is_run(const fs::path& folder) {
  return fs::exists(folder / "run.json") || fs::exists(folder / "STATUS");
}

/// A run that failed before its config was written, say for want of its data: nothing in it is worth keeping.
bool never_began(const fs::path& folder) { return is_run(folder) && !fs::exists(folder / "config.json"); }

void remove_run_files(const fs::path& folder) {
  std::vector<fs::path> doomed;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) doomed.push_back(entry.path());
  for (const char* name : kMade) doomed.push_back(folder / name);
  for (const auto& path : doomed) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) throw IoError(fmt::format("{}: cannot remove it: {}", path.string(), error.message()));
  }
}

}  // namespace

RunDir::RunDir(fs::path path, int lock) : path_(std::move(path)), lock_(lock) {}

RunDir::~RunDir() {
  if (lock_ >= 0) ::close(lock_);
}

RunDir::RunDir(RunDir&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunDir& RunDir::operator=(RunDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

RunDir RunDir::open_for_training(const fs::path& folder, RunMode mode) {
  // A mistyped folder is not created by a resume.
  if (mode == RunMode::resume) open_existing(folder);
  make_folder(folder);
  // Neither is a lock left in a folder that is not a run's.
  const bool occupied = holds_anything(folder);
  if (occupied && mode == RunMode::create && !never_began(folder))
    throw ConfigError(
        fmt::format("{}: the run folder is not empty (continue it with --resume, start anew with "
                    "--overwrite, or choose another with --run-dir)",
                    folder.string()));
  if (occupied && mode == RunMode::overwrite && !is_run(folder))
    throw ConfigError(
        fmt::format("{}: not overwritten, because it is not a run's folder: it holds neither run.json nor "
                    "STATUS (choose another with --run-dir)",
                    folder.string()));
  RunDir run(folder, lock_folder(folder));
  if (mode == RunMode::create && holds_anything(folder) && !never_began(folder))
    throw ConfigError(fmt::format("{}: another process has just begun a run there", folder.string()));
  if (mode == RunMode::overwrite || never_began(folder)) remove_run_files(folder);
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
  if (!fs::exists(folder / "config.json", error))
    throw ConfigError(fmt::format("{}: not a run's folder: config.json is missing{}", folder.string(),
                                  is_run(folder) ? " (the run never began: train it first)" : ""));
  return RunDir(folder, -1);
}

bool RunDir::in_use() const {
  const posix::Descriptor file(::open((path_ / kLock).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

void RunDir::set_status(const std::string& status) const {
  write_file_atomically(path_ / "STATUS", status + "\n");
}

std::string RunDir::status() const {
  std::error_code error;
  if (!fs::exists(path_ / "STATUS", error)) return {};
  std::string text = read_file(path_ / "STATUS", 1 << 16);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace gen
