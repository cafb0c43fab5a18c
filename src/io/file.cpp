#include "gen/io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "gen/core/error.h"
#include "io/posix.h"

namespace gen {
namespace {

constexpr size_t kPiece = size_t{1} << 20;  // bytes per read of a file whose size is not known

FaultHook& fault_hook() {
  static FaultHook hook;
  return hook;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string hex(XXH64_hash_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace

void set_fault_hook(FaultHook hook) { fault_hook() = std::move(hook); }

void fault_point(const char* point) {
  if (fault_hook()) fault_hook()(point);
}

std::string read_file(const std::filesystem::path& path, uint64_t max_bytes) {
  uint64_t size = 0;
  const auto file = posix::open_to_read(path, size);
  const auto too_large = [&](uint64_t got) {
    throw DataError(
        fmt::format("{}: expected a file of at most {} bytes, got {}", path.string(), max_bytes, got));
  };
  if (size > max_bytes) too_large(size);
  std::string bytes(static_cast<size_t>(size), '\0');
  posix::read_exactly(file.get(), path, bytes.data(), bytes.size());
  // What a pipe or a device holds, or what was appended meanwhile.
  std::vector<char> piece;
  while (true) {
    piece.resize(kPiece);
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) posix::fail(path, "read");
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(got) > max_bytes)
      too_large(bytes.size() + static_cast<size_t>(got));
    bytes.append(piece.data(), static_cast<size_t>(got));
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  // A link keeps pointing where it points; a device or a folder is never replaced.
  if (std::filesystem::is_symlink(path_, error)) {
    if (auto target = std::filesystem::weakly_canonical(path_, error); !error) path_ = target;
  }
  const auto status = std::filesystem::status(path_, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw IoError(fmt::format("{}: expected a regular file, got {}", path_.string(),
                              std::filesystem::is_directory(status) ? "a folder" : "a device or a pipe"));
  static std::atomic<unsigned> count = 0;
  temporary_ =
      folder_of(path_) / fmt::format(".tmp-{}-{}-{}", path_.filename().string(), ::getpid(), count++);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) posix::fail(path_, "create the file");
  fault_point("create");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) { posix::write_all(descriptor_, path_, data, bytes); }

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) posix::fail(path_, "sync the file to the disk");
  fault_point("sync");
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0) posix::fail(path_, "close the file");
  fault_point("close");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    posix::fail(path_, "rename the finished file to its name");
  temporary_.clear();
  fault_point("rename");
  posix::sync_folder(folder_of(path_));
}

std::string hash_bytes(std::string_view bytes) { return hex(XXH64(bytes.data(), bytes.size(), 0)); }

std::string hash_file(const std::filesystem::path& path) {
  uint64_t size = 0;
  const auto file = posix::open_to_read(path, size);
  XXH64_state_t state;
  XXH64_reset(&state, 0);
  std::vector<char> piece(kPiece);
  while (true) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) posix::fail(path, "read");
    if (got == 0) return hex(XXH64_digest(&state));
    XXH64_update(&state, piece.data(), static_cast<size_t>(got));
  }
}

}  // namespace gen
