// GEN_CHECK(condition, "mask is {} but x is {}", ...): a broken invariant throws InternalError with file and line.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gen/core/error.h"

namespace gen::detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);
}  // namespace gen::detail

#define GEN_CHECK(condition, ...)                                                              \
  do {                                                                                         \
    if (!(condition)) [[unlikely]]                                                             \
      ::gen::detail::check_failed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
  } while (false)
