#include "io/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/io/file.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestOwner = 64;  // bytes of a process number

// The process number in a lock file; 0 for an empty file, -1 where it is no lock of gen's.
int64_t owner_in(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) > kLargestOwner || error) return -1;
  std::string text = read_file(path, kLargestOwner);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const bool number = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return !number || text.size() > 10 ? -1 : text.empty() ? 0 : std::stoll(text);
}

}  // namespace

posix::Descriptor lock_run(const fs::path& folder) {
  const fs::path path = folder / kLockFile;
  posix::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0 && errno != ELOOP) posix::fail(folder, "write to the run folder");
  const int64_t owner = file.get() < 0 ? -1 : owner_in(path);
  if (owner < 0)
    throw ConfigError(
        fmt::format("{}: expected gen's lock file, got {} (move it away, or choose another folder "
                    "with --run-dir)",
                    path.string(), file.get() < 0 ? "a link" : "another file of that name"));
  fault_point("create lock");
  const posix::Locked locked = posix::lock(file.get(), path, /*wait=*/false);
  if (locked == posix::Locked::never)
    log::warning(
        "{}: this file system has no locks, so nothing keeps a second gen train out of the folder: see that "
        "there is none",
        folder.string());
  // Whoever had it may have taken the folder away since it was opened here (RunDir::withdraw).
  if (locked == posix::Locked::by_another || !posix::is_at(file.get(), path))
    throw ConfigError(
        fmt::format("{}: the run folder is in use by another process{} (wait for it, stop it, or choose "
                    "another folder with --run-dir)",
                    folder.string(), owner > 0 ? fmt::format(", number {}", owner) : ""));
  const std::string number = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0) posix::fail(path, "write");
  posix::write_all(file.get(), path, number.data(), number.size());
  return file;
}

bool run_is_locked(const fs::path& folder) {
  const fs::path path = folder / kLockFile;
  const posix::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) return false;
  const posix::Locked locked = posix::lock_of_another(file.get());
  if (locked != posix::Locked::never) return locked == posix::Locked::by_another;
  const int64_t owner = owner_in(path);
  return owner > 0 && (::kill(static_cast<pid_t>(owner), 0) == 0 || errno == EPERM);
}

HeldFolder::HeldFolder(const fs::path& folder)
    : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_.get() < 0) posix::fail(folder, "open the folder");
}

bool HeldFolder::is_at(const fs::path& path) const { return posix::is_at(folder_.get(), path); }

std::string HeldFolder::place() const {
  struct stat held{};
  if (::fstat(folder_.get(), &held) != 0 || held.st_nlink == 0) return {};
  std::error_code error;
  const std::string place = fs::read_symlink(fmt::format("/proc/self/fd/{}", folder_.get()), error).string();
  return error || !is_at(place) ? std::string() : place;
}

}  // namespace gen
