// The terminal a person looks at, where there is one.
#pragma once

#include <string>

namespace gen {

/// Columns of the terminal behind a file descriptor (80 where it does not say); 0 where there is no terminal.
int terminal_columns(int file);

/// One line on stderr that is rewritten in place. Only for a terminal.
class TerminalLine {
 public:
  ~TerminalLine() { clear(); }
  TerminalLine() = default;
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;
  /// What does not fit is cut: a line that wraps could not be erased.
  void show(const std::string& text);
  void clear();

 private:
  bool shown_ = false;
};

}  // namespace gen
