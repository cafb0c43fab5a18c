#include "cli/error_text.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <sstream>

namespace gen::cli {
namespace {

bool coloured() { return isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

// The first line of a LibTorch error; what follows is where in LibTorch it arose.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// LibTorch's CPU allocator reports a refused allocation as a plain c10::Error.
bool out_of_memory(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         text.find("not enough memory") != std::string::npos ||
         text.find("can't allocate memory") != std::string::npos;
}

ExitCode memory_ran_out(const std::string& detail) {
  print_error(fmt::format("out of memory{}{}; use a smaller --batch-size, train.batch_size or model",
                          detail.empty() ? "" : ": ", detail));
  return ExitCode::out_of_memory;
}

}  // namespace

void print_error(const std::string& message) {
  const std::string mark = coloured() ? "\033[1;31merror:\033[0m " : "error: ";
  std::string text;
  size_t mistakes = 0;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    const bool continued = line.empty() || line.front() == ' ';
    text += (continued ? "" : mark) + line + "\n";
    if (!continued) ++mistakes;
  }
  if (mistakes > 1) text += fmt::format("{} mistakes\n", mistakes);
  std::fflush(stdout);
  std::fputs(text.c_str(), stderr);
}

ExitCode report(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const ConfigError& e) {
    print_error(e.what());
    return e.code();
  } catch (const Error& e) {
    print_error(e.what());
    return e.code();
  } catch (const std::bad_alloc&) {
    return memory_ran_out("");
  } catch (const c10::Error& e) {
    const std::string text = first_line(e.what_without_backtrace());
    if (out_of_memory(e)) return memory_ran_out(text);
    print_error("LibTorch: " + text);
  } catch (const std::exception& e) {
    print_error(first_line(e.what()));
  } catch (...) {
    print_error("unknown failure");
  }
  return ExitCode::failure;
}

}  // namespace gen::cli
