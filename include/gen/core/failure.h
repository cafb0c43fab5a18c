// Any exception in the words of gen, with its exit code.
#pragma once

#include <exception>
#include <string>

#include "gen/core/error.h"

namespace gen {

struct Failure {
  std::string message;
  ExitCode code = ExitCode::failure;
};

/// A gen::Error says it itself. What the standard library, the operating system or LibTorch throw is put into words:
/// memory or threads that ran out (5), files (6), all else a failure that should have been foreseen (1).
Failure explain(std::exception_ptr error);

}  // namespace gen
