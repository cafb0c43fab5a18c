// A run's folder: fixed names, never time-stamped, so that the same command resumes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "gen/config/json.h"

namespace gen {

enum class RunMode { create, resume, overwrite };

/// RUN/{config.json, run.json, STATUS, train.log, metrics.jsonl, skipped.jsonl, events.out.tfevents.*, summary.json,
/// samples/, checkpoints/, eval/}.
class RunDir {
 public:
  /// Opens for training and locks it against a second process (flock on RUN/.lock). create: refuses a non-empty
  /// folder, naming --resume and --overwrite; resume: needs RUN/config.json; overwrite: removes the files that a run
  /// makes, nothing else, and refuses a folder that is not a run's. Throws ConfigError or IoError.
  static RunDir open_for_training(const std::filesystem::path& folder, RunMode mode);
  /// Opens an existing run to read it. Throws ConfigError saying what is missing and, where a folder of a similar
  /// name lies beside it, that name.
  static RunDir open_existing(const std::filesystem::path& folder);
  ~RunDir();
  RunDir(RunDir&&) noexcept;
  RunDir& operator=(RunDir&&) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.json"; }
  std::filesystem::path run() const { return path_ / "run.json"; }
  std::filesystem::path log() const { return path_ / "train.log"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path skipped() const { return path_ / "skipped.jsonl"; }
  std::filesystem::path summary() const { return path_ / "summary.json"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path eval() const { return path_ / "eval"; }
  /// "running", "stopped", "done" or "failed: ..." in RUN/STATUS.
  void set_status(const std::string& status) const;
  std::string status() const;
  /// Whether a process trains there now. "running" without one means that it was killed.
  bool in_use() const;

 private:
  RunDir(std::filesystem::path path, int lock);
  std::filesystem::path path_;
  int lock_ = -1;
};

/// Pretty JSON with a final newline, written atomically.
void write_json(const std::filesystem::path& path, const Json& value);
/// Throws DataError naming the file where it is not JSON.
Json read_json(const std::filesystem::path& path);

}  // namespace gen
