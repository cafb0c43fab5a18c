#include "cli/table.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "gen/core/terminal.h"
#include "gen/core/text.h"

namespace gen::cli {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kWidestColumn = 120;  // letters: one name of a megabyte would pad every row to its length
constexpr size_t kLongestText = 2000;  // letters of the last column, which is wrapped
constexpr size_t kNarrowest = 30;      // columns that a wrapped cell gets at least

// Letters, not bytes: a UTF-8 continuation byte takes no room.
size_t letters(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void append_wrapped(std::string& out, const std::string& text, size_t indent, size_t width) {
  size_t column = indent;
  bool first = true;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t size = letters(word);
    if (!first && column + 1 + size > std::max(width, indent + kNarrowest)) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      first = true;
    }
    if (!first) out += " ", ++column;
    out += word;
    column += size;
    first = false;
  }
}

}  // namespace

std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                  size_t width) {
  if (const int columns = terminal_columns(STDOUT_FILENO); columns > 0)
    width = std::min(width, static_cast<size_t>(columns));
  std::vector<std::vector<std::string>> lines;
  if (!header.empty()) lines.push_back(header);
  lines.insert(lines.end(), rows.begin(), rows.end());
  for (auto& line : lines)
    for (auto& cell : line)
      cell = shortened(printable_line(cell), &cell == &line.back() ? kLongestText : kWidestColumn);
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], letters(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    size_t column = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      if (i + 1 == line.size()) {
        append_wrapped(out, line[i], column, width);
      } else {
        out += line[i] + std::string(widths[i] - letters(line[i]) + kGap, ' ');
        column += widths[i] + kGap;
      }
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
  }
  return out;
}

}  // namespace gen::cli
