// How far a verb has come, on stderr.
#pragma once

#include <chrono>
#include <string>

#include "gen/core/terminal.h"

namespace gen::cli {

/// One line rewritten in place on a terminal; elsewhere a line every few seconds, so that short work says
/// nothing.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  /// Throws Error (130) once a signal asked to stop: what was written so far stays.
  void update(const std::string& text);

 private:
  bool shown_, terminal_;
  TerminalLine line_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace gen::cli
