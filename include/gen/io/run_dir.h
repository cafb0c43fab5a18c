// A run's folder: fixed names, never time-stamped, so that the same command resumes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gen/core/error.h"
#include "gen/io/made_list.h"

namespace gen {

enum class RunMode { create, resume, overwrite };

/// The folder that training began in was deleted or moved, or another stands in its place.
class RunFolderGone : public IoError {
 public:
  using IoError::IoError;
};

/// RUN/{config.json, run.json, STATUS, train.log, metrics.jsonl, skipped.jsonl, events.out.tfevents.*, summary.json,
/// samples/, checkpoints/, eval/, made.txt}.
/// RUN may be a link to a folder, and so may samples/, checkpoints/ and eval/: what is made in them then lies on the other
/// disk. A file of a run is never written through a link, and nothing is deleted through one.
class RunDir {
 public:
  /// Opens for training and locks it against a second process (flock on RUN/.lock). create: refuses a folder that holds
  /// anything but a run that never began, naming --resume and --overwrite; resume: needs RUN/config.json; overwrite:
  /// removes what RUN/made.txt lists, nothing else, and refuses a folder without it. Leftovers of killed processes
  /// (.tmp-NAME-PID-N) go. Throws ConfigError or IoError.
  static RunDir open_for_training(const std::filesystem::path& folder, RunMode mode);
  /// After a training that was refused before its first step: takes the folder away again where opening it made it, and
  /// the folders around it that were made with it, provided that the run never began and nothing lies there but what every
  /// run begins with. Else changes nothing. The log must be closed.
  void withdraw() const;
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
  /// How it was opened; `resume` for one that was opened to be read.
  RunMode mode() const { return mode_; }

  /// To be called before `file`, a path in this run, is made: notes it in made.txt. Throws IoError where something is there
  /// that this run did not make, or a link; RunFolderGone.
  void claim(const std::filesystem::path& file) const;
  /// Notes files that are made under names that were free.
  void note_made(const std::vector<std::filesystem::path>& files) const;
  /// After a checkpoint that was claimed is whole: a resume that does not find it is one that lost something.
  void note_finished(const std::filesystem::path& checkpoint) const;
  /// Whether made.txt lists it.
  bool made(const std::filesystem::path& file) const;
  /// After a thing that was made is removed.
  void disclaim(const std::filesystem::path& file) const;
  const MadeList& made_list() const { return *made_; }
  /// Whether path() is still the folder that was opened.
  bool in_place() const;
  /// Throws RunFolderGone where path() is no longer the folder that was opened, saying where that is now.
  void check_in_place() const;

  /// "running", "stopped", "done" or "failed: ..." in RUN/STATUS.
  void set_status(const std::string& status) const;
  std::string status() const;
  /// Whether a process trains there now. "running" without one means that it was killed.
  bool in_use() const;

 private:
  struct Held;
  RunDir(std::filesystem::path path, RunMode mode, std::unique_ptr<Held> held);
  void begin();
  std::string name_of(const std::filesystem::path& file) const;
  std::filesystem::path path_;
  RunMode mode_;
  std::unique_ptr<MadeList> made_;
  std::unique_ptr<Held> held_;  // the lock and the folder itself, where it was opened for training
};

/// A name beside a folder that nothing has yet: FOLDER followed by `ending`, or that by -2, -3, ...
std::filesystem::path free_sibling(const std::filesystem::path& folder, const std::string& ending);

}  // namespace gen
