// Errors as a user reads them on stderr.
#pragma once

#include <exception>
#include <string>

#include "gen/core/error.h"

namespace gen::cli {

/// Prints "error: " before each line that is a mistake of its own (continuation lines begin with a blank),
/// and the number of mistakes where there are several.
void print_error(const std::string& message);
/// Prints what explain() makes of `error`, and returns its exit code.
ExitCode report(std::exception_ptr error);

}  // namespace gen::cli
