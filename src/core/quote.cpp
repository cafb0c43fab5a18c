#include "gen/core/quote.h"

#include <fmt/format.h>

#include <algorithm>

#include "gen/core/text.h"

namespace gen {
namespace {

bool is_plain(char c) {
  constexpr std::string_view kPlain = "@%+=:,./_-";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPlain.find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_quote(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  std::string quoted;
  if (printable_line(word) == word) {
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return "'" + quoted + "'";
  }
  // In octal, whose three digits end by themselves: what a terminal would not show as it is.
  while (!word.empty()) {
    const auto letter = first_letters(word, 1);
    const bool shown = printable_line(letter) == letter;
    for (const char c : letter) {
      if (!shown)
        quoted += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
      else
        quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    word.remove_prefix(letter.size());
  }
  return "$'" + quoted + "'";
}

std::string shell_quote_path(const std::filesystem::path& path) {
  // A leading dash would be read as a flag.
  return shell_quote((path.native().starts_with("-") ? "./" : "") + path.native());
}

}  // namespace gen
