// Files that are either wholly there or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace gen {

/// The whole file. Throws DataError (no such file, a folder, larger than `max_bytes`) or IoError.
std::string read_file(const std::filesystem::path& path, uint64_t max_bytes = uint64_t{1} << 32);
/// Writes to a temporary file in the same folder, fsyncs, renames, fsyncs the folder. Throws IoError and leaves the
/// old file as it was.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
/// A file being written, every write and the close checked; not yet visible under its final name until commit().
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);
  /// fsync, close, rename, fsync of the folder.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// 64-bit content hash (XXH64) as 16 hex digits.
std::string hash_bytes(std::string_view bytes);
std::string hash_file(const std::filesystem::path& path);

/// Called after each system call that changes the disk; tests set it to stop the process there (`kill -9` at any
/// moment). Null in production.
using FaultHook = std::function<void(const char* point)>;
void set_fault_hook(FaultHook hook);
void fault_point(const char* point);

}  // namespace gen
