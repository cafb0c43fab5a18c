#include "train/resume.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/json_file.h"
#include "train/chosen_checkpoint.h"
#include "train/config_changes.h"

namespace gen {

bool made_checkpoints(const RunDir& run) {
  return run.made_list().newest_step() >= 0 || !list_checkpoints(run.checkpoints()).empty();
}

bool go_on(const RunDir& run, const Session& session, Checkpointer& checkpoints, Progress& progress) {
  if (run.mode() != RunMode::resume) return false;
  if (checkpoints.restore(progress)) return true;
  const std::string status = run.status();
  if (!made_checkpoints(run) && status != "done" && status != "stopped") return false;
  const Json config = read_json(run.config());
  const VerifyOptions all{session.ema ? std::vector<std::string>{"model", "optimizer", "ema"}
                                      : std::vector<std::string>{"model", "optimizer"}};
  throw DataError(
      fmt::format("{}\n  nothing to go on from, and nothing was changed. Put the checkpoint back; or begin a "
                  "new run from its weights, where they are whole:\n    {}\n  or anew, with --overwrite",
                  why_no_checkpoint(run, [&](const auto& each) { return verify_checkpoint(each, all); }),
                  warm_start_command(run.path(), config, config)));
}

}  // namespace gen
