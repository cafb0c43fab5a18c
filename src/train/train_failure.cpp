#include "train/train_failure.h"

#include <fmt/format.h>

#include <system_error>

#include "gen/core/error.h"
#include "gen/core/failure.h"
#include "gen/core/log.h"
#include "gen/core/memory.h"
#include "gen/core/quote.h"
#include "gen/train/memory_needs.h"

namespace gen {
namespace {

/// Nothing that goes wrong here may hide the failure.
void record_failure(const RunDir& run, const std::string& what) {
  try {
    log::write_file(log::Level::error, what);  // main() prints what it catches
    if (run.status() == "running") run.set_status("failed: " + what.substr(0, what.find('\n')));
  } catch (const std::exception&) {
  }
  log::close_file();
  run.withdraw();
}

/// What is to be done about a disk that failed, once it is mended: the run goes on from its newest checkpoint.
std::string with_the_way_on(const std::string& what, const RunDir& run) {
  std::error_code error;
  if (!run.in_place() || !std::filesystem::exists(run.config(), error)) return what;
  return fmt::format("{}\n  go on with: gen train --run-dir {} --resume", what, shell_quote_path(run.path()));
}

[[noreturn]] void end_without_memory(const ExperimentOptions& experiment, const RunDir& run,
                                     const std::string& detail) {
  const OutOfMemoryError error(out_of_memory_in_a_step(experiment.train, detail));
  record_failure(run, error.what());
  throw error;
}

}  // namespace

void end_failed(const ExperimentOptions& experiment, const RunDir& run) {
  try {
    throw;
  } catch (const IoError& e) {
    record_failure(run, e.what());
    throw IoError(with_the_way_on(e.what(), run));
  } catch (const TensorTooLarge& e) {
    end_without_memory(experiment, run, e.what());
  } catch (const Error& e) {
    record_failure(run, e.what());
    throw;
  } catch (const std::system_error&) {  // threads that cannot be started are not the batch's fault
    record_failure(run, explain(std::current_exception()).message);
    throw;
  } catch (...) {
    const Failure failure = explain(std::current_exception());
    if (failure.code == ExitCode::out_of_memory) end_without_memory(experiment, run, "");
    record_failure(run, failure.message);
    throw;
  }
}

}  // namespace gen
