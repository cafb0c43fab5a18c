#include "gen/io/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "io/posix.h"

namespace gen {

struct FolderLock::Held {
  posix::Descriptor folder;
};

FolderLock::FolderLock(const std::filesystem::path& folder, const std::string& way_out)
    : held_(std::make_unique<Held>()) {
  held_->folder = posix::Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (held_->folder.get() < 0) posix::fail(folder, "open the folder");
  const posix::Locked locked = posix::lock(held_->folder.get(), folder, /*wait=*/false);
  if (locked == posix::Locked::by_another)
    throw ConfigError(
        fmt::format("{}: another process writes into this folder ({})", folder.string(), way_out));
  if (locked == posix::Locked::never)
    log::warning(
        "{}: this file system has no locks, so nothing keeps a second process from writing into this folder: "
        "see that there is none",
        folder.string());
}

FolderLock::~FolderLock() = default;
FolderLock::FolderLock(FolderLock&&) noexcept = default;
FolderLock& FolderLock::operator=(FolderLock&&) noexcept = default;

}  // namespace gen
