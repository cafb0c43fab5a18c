#include "gen/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace gen {
namespace {

struct Letter {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The first code point of `text` by RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
Letter first_letter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code = first & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[bytes] || code > 0x10ffff || surrogate) return {};
  return {code, bytes, true};
}

struct Range {
  uint32_t first, last;
};

// Beside newline and tab: what a terminal obeys, and what a reader cannot see or is led astray by.
constexpr Range kHidden[] = {
    {0x00, 0x08},       {0x0b, 0x1f},      // C0
    {0x7f, 0x9f},                          // DEL, C1
    {0x061c, 0x061c},   {0x200e, 0x200f},  // marks of direction
    {0x2028, 0x202e},  // line and paragraph separators, embeddings and overrides of direction
    {0x2060, 0x206f},  // invisible operators, isolates of direction
    {0xfeff, 0xfeff},   {0xfff9, 0xfffb},  // byte order mark, interlinear annotation
    {0xfdd0, 0xfdef},   {0xfffe, 0xffff},  // no characters
    {0xe0000, 0xe0fff},                    // tags
};

bool hidden(uint32_t code) {
  return std::any_of(std::begin(kHidden), std::end(kHidden),
                     [&](const Range& range) { return code >= range.first && code <= range.last; });
}

void append_escaped(std::string& out, uint32_t code) {
  if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", code);
    return;
  }
  // As in JSON: beyond the basic plane a pair of surrogates.
  const uint32_t rest = code - 0x10000;
  out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
}

std::string escaped(std::string_view text, bool one_line) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Letter letter = first_letter(text);
    if (!letter.valid)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    else if (one_line && letter.code == '\n')
      out += "\\n";
    else if (one_line && letter.code == '\t')
      out += "\\t";
    else if (hidden(letter.code))
      append_escaped(out, letter.code);
    else
      out += text.substr(0, letter.bytes);
    text.remove_prefix(letter.bytes);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, /*one_line=*/false); }
std::string printable_line(std::string_view text) { return escaped(text, /*one_line=*/true); }

std::string_view first_letters(std::string_view text, size_t most) {
  size_t bytes = 0;
  for (size_t i = 0; i < most && bytes < text.size(); ++i) bytes += first_letter(text.substr(bytes)).bytes;
  return text.substr(0, bytes);
}

std::string shortened(std::string_view text, size_t most) {
  const auto start = first_letters(text, most);
  return start.size() == text.size() ? std::string(text) : std::string(first_letters(text, most - 3)) + "...";
}

}  // namespace gen
