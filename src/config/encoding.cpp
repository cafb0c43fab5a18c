#include "config/encoding.h"

#include <fmt/format.h>

namespace gen {

std::string encoding_mistake(std::string_view text) {
  using namespace std::string_view_literals;
  const auto begins = [&](std::string_view start) { return text.starts_with(start); };
  // Every JSON text begins with an ASCII letter, so zeros among the first four bytes tell the width (RFC 4627, section 3).
  const auto zero = [&](size_t i) { return i < text.size() && text[i] == '\0'; };
  const bool utf32 =
      begins("\xff\xfe\0\0"sv) || begins("\0\0\xfe\xff"sv) || (zero(1) && zero(2)) || (zero(0) && zero(1));
  const bool utf16 = begins("\xff\xfe"sv) || begins("\xfe\xff"sv) || zero(0) || zero(1);
  if (!utf32 && !utf16) return {};
  return fmt::format(
      "expected UTF-8, got {}, as PowerShell's > and some editors write it: save it as UTF-8 (iconv -f {} -t "
      "UTF-8, or "
      "PowerShell's Out-File -Encoding utf8)",
      utf32 ? "UTF-32" : "UTF-16", utf32 ? "UTF-32" : "UTF-16");
}

}  // namespace gen
