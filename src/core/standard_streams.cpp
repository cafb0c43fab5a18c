#include "gen/core/standard_streams.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "gen/core/error.h"
#include "gen/core/os_error.h"

namespace gen {
namespace {

bool stdout_closed = false;

bool is_closed(int descriptor) { return ::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF; }

}  // namespace

void fill_standard_streams() {
  stdout_closed = is_closed(STDOUT_FILENO);
  // In their order: open() gives the lowest number that is free.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (!is_closed(descriptor)) continue;
    const int opened = ::open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    if (opened >= 0 && opened != descriptor) ::close(opened);  // a number beyond the three: all are taken
  }
}

void need_descriptors() {
  constexpr size_t kFewest = 8;
  std::vector<int> opened;
  int failure = 0;
  while (opened.size() < kFewest && failure == 0) {
    const int descriptor = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    descriptor < 0 ? void(failure = errno) : opened.push_back(descriptor);
  }
  for (const int descriptor : opened) ::close(descriptor);
  if (failure == EMFILE || failure == ENFILE)
    throw IoError(fmt::format("{} files can be opened where gen needs {} at least: {}", opened.size(),
                              kFewest, os_error_text(failure)));
}

bool stdout_was_closed() { return stdout_closed; }

}  // namespace gen
