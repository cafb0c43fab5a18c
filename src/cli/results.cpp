#include "cli/results.h"

#include <cerrno>
#include <cstdio>

#include "cli/error_text.h"
#include "gen/core/os_error.h"
#include "gen/core/standard_streams.h"
#include "gen/core/text.h"
#include "gen/io/json_file.h"

namespace gen::cli::results {
namespace {

int first_failure = 0;  // errno

void note_failure() {
  if (first_failure == 0) first_failure = errno != 0 ? errno : EIO;
}

}  // namespace

void need_stdout(const char* verb) {
  if (stdout_was_closed())
    throw IoError(fmt::format("gen {}: stdout is closed, and its results go nowhere else (gen {} ... > FILE)",
                              verb, verb));
}

void write(std::string_view text) {
  const std::string shown = printable(text);
  if (std::fwrite(shown.data(), 1, shown.size(), stdout) < shown.size()) note_failure();
}

void print_json(const Json& document) { write(json_text(document)); }

void show() {
  if (std::fflush(stdout) != 0) note_failure();
}

ExitCode flush(ExitCode code) {
  show();
  if (first_failure == 0 || first_failure == EPIPE) return code;
  print_error(fmt::format("stdout: cannot write the results: {}", os_error_text(first_failure)));
  return code == ExitCode::ok ? ExitCode::io : code;
}

}  // namespace gen::cli::results
