#include "gen/core/quote.h"

#include <fmt/format.h>

#include <algorithm>

namespace gen {
namespace {

bool is_plain(char c) {
  constexpr std::string_view kPlain = "@%+=:,./_-";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string shell_quote(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  const bool control = std::any_of(word.begin(), word.end(), is_control);
  std::string quoted = control ? "$'" : "'";
  for (const char c : word) {
    if (is_control(c))
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else if (control && (c == '\'' || c == '\\'))
      quoted += {'\\', c};
    else if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

}  // namespace gen
