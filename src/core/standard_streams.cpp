#include "gen/core/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

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

bool stdout_was_closed() { return stdout_closed; }

}  // namespace gen
