// The lock of a run folder, and the hold on the folder itself.
#pragma once

#include <filesystem>
#include <string>

#include "io/posix.h"

namespace gen {

constexpr const char* kLockFile = ".lock";

/// Locks RUN/.lock against a second process until it is closed, and writes this process's number there. Warns where the
/// file system has no locks. Throws ConfigError naming the process that holds it, or where the file is not gen's.
posix::Descriptor lock_run(const std::filesystem::path& folder);
/// Whether a process holds the lock; where the file system has none, whether the process noted there lives.
bool run_is_locked(const std::filesystem::path& folder);

/// A folder held open, so that its identity (device and inode) stays its own.
class HeldFolder {
 public:
  explicit HeldFolder(const std::filesystem::path& folder);
  /// Whether `path` is still this folder.
  bool is_at(const std::filesystem::path& path) const;
  /// Where it is now, or "" for one that was deleted.
  std::string place() const;

 private:
  posix::Descriptor folder_;
};

}  // namespace gen
