#include "config/byte_text.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <optional>

#include "gen/core/text.h"

namespace gen {
namespace {

constexpr size_t kEscape = 4;  // letters of \xff

// The byte that an escape at the start of `text` stands for.
std::optional<char> escaped_byte(std::string_view text) {
  const auto hex = [&](size_t i) { return std::isxdigit(static_cast<unsigned char>(text[i])) != 0; };
  if (text.size() < kEscape || !text.starts_with("\\x") || !hex(2) || !hex(3)) return std::nullopt;
  const auto byte = std::strtoul(std::string(text.substr(2, 2)).c_str(), nullptr, 16);
  if (byte < 0x80 && byte != '\\') return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace

std::string to_json_string(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto letter = first_letters(bytes, 1);
    const auto first = static_cast<unsigned char>(letter.front());
    const bool no_utf8 = letter.size() == 1 && first >= 0x80;
    if (no_utf8 || escaped_byte(bytes))
      out += fmt::format("\\x{:02x}", first);
    else
      out += letter;
    bytes.remove_prefix(letter.size());
  }
  return out;
}

std::string from_json_string(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto byte = escaped_byte(text);
    out += byte.value_or(text.front());
    text.remove_prefix(byte ? kEscape : 1);
  }
  return out;
}

}  // namespace gen
