#include "cli/results.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/error_text.h"
#include "gen/core/standard_streams.h"
#include "gen/io/finite_json.h"

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
  if (std::fwrite(text.data(), 1, text.size(), stdout) < text.size()) note_failure();
}

void print_json(const Json& document) {
  write(finite_json(document).dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n");
}

void show() {
  if (std::fflush(stdout) != 0) note_failure();
}

ExitCode flush(ExitCode code) {
  show();
  if (first_failure == 0 || first_failure == EPIPE) return code;
  print_error(fmt::format("stdout: cannot write the results: {}{}", std::strerror(first_failure),
                          first_failure == ENOSPC ? " (free some space, or write them elsewhere)" : ""));
  return code == ExitCode::ok ? ExitCode::io : code;
}

}  // namespace gen::cli::results
