// A folder of results, which one process at a time writes into.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace gen {

/// A lock on the folder itself, not on a file in it: it leaves nothing there and ends with the process.
class FolderLock {
 public:
  /// Throws ConfigError where another process has it, saying `way_out` in parentheses. Warns where the file system has no
  /// locks. Throws IoError.
  FolderLock(const std::filesystem::path& folder, const std::string& way_out);
  ~FolderLock();
  FolderLock(FolderLock&&) noexcept;
  FolderLock& operator=(FolderLock&&) noexcept;

 private:
  struct Held;
  std::unique_ptr<Held> held_;
};

}  // namespace gen
