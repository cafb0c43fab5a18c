#include "gen/core/os_error.h"

#include <cerrno>
#include <system_error>

namespace gen {
namespace {

const char* advice(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return " (free some space and run the same command again)";
    case EACCES:
    case EPERM:
      return " (check its permissions, or choose another)";
    case EFBIG:
      return " (raise ulimit -f, or choose a file system that holds larger files)";
    case ENAMETOOLONG:
      return " (choose a shorter name)";
    case EROFS:
      return " (choose a folder that you may write to)";
    case EMFILE:
      return " (this process may not open more: raise the limit with ulimit -n)";
    case ENFILE:
      return " (the whole machine has too many: close some programs)";
    case EIO:
    case ESTALE:
      return " (the disk or the network file system fails: look at the system's log)";
    default:
      return "";
  }
}

}  // namespace

std::string os_error_text(int code) {
  // A library that reports a failure without a reason leaves 0, which would read "Success".
  if (code == 0) return "for a reason that the system did not give";
  return std::generic_category().message(code) + advice(code);
}

}  // namespace gen
