#include "io/posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "gen/core/error.h"
#include "gen/core/os_error.h"
#include "gen/io/file.h"

namespace gen::posix {
namespace {

// EBADF: a network file system locks what is open for writing, which a folder never is.
bool has_no_locks(int code) {
  return code == ENOLCK || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL || code == EBADF;
}

}  // namespace

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

void fail(const std::filesystem::path& path, const char* doing) {
  throw IoError(fmt::format("{}: cannot {}: {}", path.string(), doing, os_error_text(errno)));
}

namespace {

// Opening one waits for somebody to write, for ever and deaf to the first signal. A shell's <(...) is open already.
void refuse_named_pipe(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode)) return;
  for (const char* open_already : {"/dev/", "/proc/"})
    if (path.native().starts_with(open_already)) return;
  throw DataError(fmt::format("{}: expected a file, got a pipe", path.string()));
}

}  // namespace

Descriptor open_to_read(const std::filesystem::path& path, uint64_t& size) {
  refuse_named_pipe(path);
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw DataError(fmt::format("{}: no such file", path.string()));
    fail(path, "open the file");
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) fail(path, "ask for the file's size");
  if (S_ISDIR(status.st_mode))
    throw DataError(fmt::format("{}: expected a file, got a folder", path.string()));
  size = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  return file;
}

int open_to_append(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(path, "open the file for writing");
  return descriptor;
}

void write_all(int descriptor, const std::filesystem::path& path, const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "write");
    at += written;
    bytes -= static_cast<size_t>(written);
    fault_point("write");
  }
}

void append_whole(int descriptor, const std::filesystem::path& path, std::string_view bytes) {
  const off_t before = ::lseek(descriptor, 0, SEEK_END);
  try {
    write_all(descriptor, path, bytes.data(), bytes.size());
  } catch (const IoError&) {
    if (before < 0 || ::ftruncate(descriptor, before) != 0) {
      // A device has no length to go back to.
    }
    throw;
  }
}

void read_exactly(int descriptor, const std::filesystem::path& path, void* data, size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "read");
    if (got == 0) throw DataError(fmt::format("{}: the file ends {} bytes early", path.string(), bytes));
    at += got;
    bytes -= static_cast<size_t>(got);
  }
}

Locked lock(int descriptor, const std::filesystem::path& path, bool wait) {
  while (::flock(descriptor, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return Locked::by_another;
    if (has_no_locks(errno)) return Locked::never;
    fail(path, "lock it");
  }
  return Locked::yes;
}

Locked lock_of_another(int descriptor) {
  if (::flock(descriptor, LOCK_SH | LOCK_NB) == 0) return Locked::yes;
  return errno == EWOULDBLOCK ? Locked::by_another : has_no_locks(errno) ? Locked::never : Locked::yes;
}

bool is_at(int descriptor, const std::filesystem::path& path) {
  struct stat held{}, there{};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &there) == 0 && held.st_nlink > 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0) fail(folder, "open the folder");
  // Some network file systems cannot sync a folder and say so with EINVAL.
  if (::fsync(opened.get()) != 0 && errno != EINVAL) fail(folder, "sync the folder");
  fault_point("sync folder");
}

}  // namespace gen::posix
