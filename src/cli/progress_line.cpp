#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "gen/core/error.h"
#include "gen/core/signals.h"
#include "gen/core/text.h"

namespace gen::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kTerminalInterval = 100ms;
constexpr auto kLineInterval = 5s;

}  // namespace

ProgressLine::ProgressLine(bool quiet)
    : shown_(!quiet), terminal_(isatty(STDERR_FILENO) == 1), last_(std::chrono::steady_clock::now()) {}

void ProgressLine::update(const std::string& text) {
  if (signals::stop_requested())
    throw Error(fmt::format("interrupted by {} ({})", signals::requested_by(), text), ExitCode::interrupted);
  const auto now = std::chrono::steady_clock::now();
  if (!shown_ || now - last_ < (terminal_ ? kTerminalInterval : std::chrono::milliseconds(kLineInterval)))
    return;
  last_ = now;
  if (terminal_) return line_.show(text);
  std::fputs((printable_line(text) + "\n").c_str(), stderr);
}

}  // namespace gen::cli
