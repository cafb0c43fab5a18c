#include "cli/error_text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <sstream>

#include "gen/core/failure.h"
#include "gen/core/text.h"

namespace gen::cli {
namespace {

constexpr size_t kLongestLine = 2000;  // letters: a name out of a file may have millions

bool coloured() { return isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

void print_error(const std::string& message) {
  const std::string mark = coloured() ? "\033[1;31merror:\033[0m " : "error: ";
  std::string text;
  size_t mistakes = 0;
  std::istringstream lines(printable(message));
  for (std::string line; std::getline(lines, line);) {
    const bool continued = line.empty() || line.front() == ' ';
    text += (continued ? "" : mark) + shortened(line, kLongestLine) + "\n";
    if (!continued) ++mistakes;
  }
  if (mistakes > 1) text += fmt::format("{} mistakes\n", mistakes);
  std::fflush(stdout);
  std::fputs(text.c_str(), stderr);
}

ExitCode report(std::exception_ptr error) {
  try {
    const Failure failure = explain(std::move(error));
    print_error(failure.message);
    return failure.code;
  } catch (const std::bad_alloc&) {  // not even for the words
    std::fputs("error: out of memory: the limit on address space (ulimit -v) or the machine has too little\n",
               stderr);
    return ExitCode::out_of_memory;
  }
}

}  // namespace gen::cli
