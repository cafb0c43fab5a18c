// The family of errors. Each carries the exit code that `gen` returns for it.
#pragma once

#include <stdexcept>
#include <string>

namespace gen {

enum class ExitCode : int {
  ok = 0,
  failure = 1,
  usage = 2,      // command line or config
  data = 3,       // a data set or an input file
  numerical = 4,  // the budget of non-finite steps is spent
  out_of_memory = 5,
  io = 6,             // disk full, no permission, ...
  stopped = 75,       // stopped by a signal after a checkpoint: resumable
  interrupted = 130,  // interrupted a second time
};

/// Base of every error that a user may see: says where, what was expected, what was got, what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::failure)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// A mistake on the command line or in a config; may hold several lines, one for each mistake.
struct ConfigError : Error {
  explicit ConfigError(const std::string& message) : Error(message, ExitCode::usage) {}
};
/// A mistake in a data set or an input file.
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(message, ExitCode::data) {}
};
/// Loss or gradients are not finite and the policy gives up.
struct NumericalError : Error {
  explicit NumericalError(const std::string& message) : Error(message, ExitCode::numerical) {}
};
struct OutOfMemoryError : Error {
  explicit OutOfMemoryError(const std::string& message) : Error(message, ExitCode::out_of_memory) {}
};
/// The operating system refused a read or a write.
struct IoError : Error {
  explicit IoError(const std::string& message) : Error(message, ExitCode::io) {}
};
/// Tensors that do not fit together.
struct ShapeError : Error {
  explicit ShapeError(const std::string& message) : Error(message) {}
};
/// A broken invariant: a bug in gen (see GEN_CHECK).
struct InternalError : Error {
  explicit InternalError(const std::string& message) : Error(message) {}
};

}  // namespace gen
