// What nlohmann's parser says, "parse error at line 1, column 6: syntax error while parsing value - invalid literal; last
// read: '"a":T'", in words of gen's own: where, what was expected, what was got, what to do.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "gen/config/json.h"
#include "gen/core/text.h"

namespace gen {
namespace {

constexpr std::string_view kUnexpectedToken = "unexpected ";
using Pair = std::pair<std::string_view, std::string_view>;

// The text between two marks; empty where the first is missing, to the end where the second is.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t at = text.find(before);
  if (at == text.npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(after));
}

template <size_t N>
std::string_view second_of(const std::array<Pair, N>& pairs, std::string_view text,
                           std::string_view otherwise) {
  const auto found = std::find_if(pairs.begin(), pairs.end(),
                                  [&](const Pair& pair) { return text.starts_with(pair.first); });
  return found == pairs.end() ? otherwise : found->second;
}

constexpr std::array<Pair, 5> kExpected = {{{"object key", "a key in double quotes"},
                                            {"object separator", "\":\" after the key"},
                                            {"object", "\",\" or \"}\""},
                                            {"array", "\",\" or \"]\""},
                                            {"value", "a value"}}};
constexpr std::array<Pair, 6> kUnexpected = {{{"end of input", "the end of the text"},
                                              {"string literal", "a text (is a comma missing before it?)"},
                                              {"number literal", "a number"},
                                              {"'}'", "} (after the last entry comes no comma)"},
                                              {"']'", "] (after the last entry comes no comma)"},
                                              {"<", "what is no JSON"}}};
// Texts, numbers and comments that are wrong in themselves.
constexpr std::array<Pair, 10> kBroken = {
    {{"invalid string: control character",
      "a control character or a line break within a text (write \\n or \\u and four digits)"},
     {"invalid string: missing closing quote", "a text that does not end: its closing \" is missing"},
     {"invalid string: forbidden character after backslash",
      "a backslash in a text with a letter that takes none (write \\\\ for a backslash)"},
     {"invalid string: '\\u'", "\\u without four hexadecimal digits behind it"},
     {"invalid string: surrogate", "half of a pair of \\u escapes (letters beyond U+FFFF take two)"},
     {"invalid string: ill-formed UTF-8", "a byte that is no UTF-8 (save the file as UTF-8)"},
     {"invalid number", "a number that lacks a digit"},
     {"invalid comment; missing closing", "a comment that does not end: */ is missing"},
     {"invalid comment", "/ that begins no comment (// or /* */)"},
     {"invalid BOM", "half of a byte order mark (save the file as UTF-8)"}}};

std::string_view advice(std::string_view got) {
  constexpr std::array<Pair, 10> kAdvice = {{{"'", " (texts take double quotes)"},
                                             {"T", " (is it true?)"},
                                             {"F", " (is it false?)"},
                                             {"N", " (JSON has null and no NaN)"},
                                             {"I", " (JSON has no infinity)"},
                                             {"+", " (numbers take no +)"},
                                             {".", " (write 0 before the point)"},
                                             {"#", " (comments begin with //)"},
                                             {"/", " (this file takes no comments)"},
                                             {"<", " (is it JSON?)"}}};
  const bool letter = !got.empty() && (std::isalpha(static_cast<unsigned char>(got.front())) != 0);
  return second_of(kAdvice, got, letter ? " (texts take double quotes)" : "");
}

// Of what was read last, such as `"a":tru}`, the word that is wrong.
std::string wrong_word(std::string_view read) {
  constexpr size_t kMost = 20;
  if (read.size() > 1)
    if (const auto mark = read.find_last_of(":,[{} \n", read.size() - 2); mark != read.npos)
      read.remove_prefix(mark + 1);
  return shortened(printable_line(read), kMost);
}

std::string got(std::string_view detail, std::string_view read) {
  if (detail.starts_with(kUnexpectedToken)) {
    detail.remove_prefix(kUnexpectedToken.size());
    std::string token(detail.substr(0, detail.find(';')));
    std::erase(token, '\'');
    return std::string(second_of(kUnexpected, detail, token.substr(0, token.find(" literal"))));
  }
  if (const auto words = second_of(kBroken, detail, ""); !words.empty()) return std::string(words);
  const std::string word = wrong_word(read);
  return word + std::string(read.size() == 1 ? " (is it JSON?)" : advice(word));  // the first letter of all
}

// "line 2, column 1". Where a line break was read last nlohmann's parser says column 0, of the line that begins there or,
// once the break is put back behind a number, of the line that it ends.
std::string place(std::string_view what, std::string_view detail) {
  const std::string_view text = between(what, "at line ", ":");
  if (!text.ends_with("column 0")) return fmt::format("line {}", text);
  size_t line = 0;
  std::from_chars(text.data(), text.data() + text.size(), line);
  return fmt::format("the end of line {}", detail.starts_with(kUnexpectedToken) ? line : line - 1);
}

}  // namespace

std::string json_error_text(std::string what) {
  constexpr std::string_view kRead = "; last read: '";
  const std::string_view context = between(what, "while parsing ", " - "),
                         detail = between(what, " - ", kRead);
  std::string_view read = between(what, kRead, "'; expected ");
  if (read.ends_with('\'') && what.find("'; expected ") == what.npos) read.remove_suffix(1);
  const bool ended = what.ends_with("expected end of input");
  return fmt::format("at {}: expected {}, got {}", place(what, detail),
                     ended ? "nothing more after the value" : second_of(kExpected, context, "JSON"),
                     got(detail, read));
}

std::string json_pointer_key(const std::string& key) {
  std::string out;
  for (char c : key) c == '~' ? out += "~0" : c == '/' ? out += "~1" : out += c;
  return out;
}

}  // namespace gen
