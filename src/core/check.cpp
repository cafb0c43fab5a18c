#include "gen/core/check.h"

namespace gen::detail {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  throw InternalError(
      fmt::format("{} (a bug in gen: {} does not hold at {}:{})", message, condition, file, line));
}

}  // namespace gen::detail
