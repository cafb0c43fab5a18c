#include "train/rescue.h"

#include <fmt/format.h>

#include "gen/core/quote.h"
#include "train/checkpointer.h"
#include "train/run_record.h"

namespace gen {
std::string save_beside(const RunFolderGone& gone, const RunDir& run, const ExperimentOptions& experiment,
                        Session& session, const Progress& progress, const Json& record) {
  try {
    const RunDir beside = RunDir::open_for_training(free_sibling(run.path(), "-rescued"), RunMode::create);
    write_record(beside, record);
    Checkpointer(beside, experiment, session, record).save(progress, /*last=*/true);
    beside.set_status("stopped");
    return fmt::format(
        "{}; training stopped at step {}, which is saved as a run of its own in {}\n  go on with: gen train "
        "--run-dir {} --resume",
        gone.what(), progress.step, beside.path().string(), shell_quote_path(beside.path()));
  } catch (const std::exception& error) {
    return fmt::format("{}; training stopped at step {}, which could not be saved beside it: {}", gone.what(),
                       progress.step, error.what());
  }
}

}  // namespace gen
