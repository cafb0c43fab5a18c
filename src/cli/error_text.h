// Errors as a user reads them on stderr.
#pragma once

#include <exception>
#include <string>

#include "gen/core/error.h"

namespace gen::cli {

/// Prints "error: " before each line that is a mistake of its own (continuation lines begin with a blank),
/// and the number of mistakes where there are several.
void print_error(const std::string& message);
/// Prints what `error` says, without a stack trace, and returns its exit code: that of a gen::Error,
/// out_of_memory where the memory of the host or a device ran out, failure for all else.
ExitCode report(std::exception_ptr error);

}  // namespace gen::cli
