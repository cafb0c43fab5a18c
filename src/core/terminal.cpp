#include "gen/core/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "gen/core/text.h"

namespace gen {
namespace {

constexpr int kUsualColumns = 80;

}  // namespace

int terminal_columns(int file) {
  if (isatty(file) != 1) return 0;
  winsize size{};
  return ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

void TerminalLine::show(const std::string& text) {
  // The last column stays free: a terminal may wrap as soon as it is filled.
  const auto room = static_cast<size_t>(std::max(1, terminal_columns(STDERR_FILENO) - 1));
  std::fputs(fmt::format("\r\x1b[K{}", first_letters(printable_line(text), room)).c_str(), stderr);
  shown_ = true;
}

void TerminalLine::clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace gen
