#include "train/chosen_checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/nearest.h"
#include "gen/core/quote.h"
#include "train/progress.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

std::string weights_problem(const CheckpointInfo& checkpoint, bool raw) {
  try {
    return verify_checkpoint(checkpoint, {{weights_name(checkpoint, raw)}});
  } catch (const Error& error) {
    return verify_checkpoint(checkpoint, {{"model"}});
  }
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "1000" of "1000" and "step_00001000"; nothing of other names.
std::optional<int64_t> step_in(std::string name) {
  constexpr std::string_view kStep = "step_";
  if (name.starts_with(kStep)) name.erase(0, kStep.size());
  return is_number(name) ? std::optional(std::stoll(name)) : std::nullopt;
}

// " (write 1000)" of epoch1000 and its like, or the nearest word.
std::string meant_instead(const std::string& which) {
  const auto digit = which.find_last_not_of("0123456789") + 1;
  const auto number = which.substr(std::min(which.find_first_not_of('0', digit), which.size()));
  if (digit > 0 && is_number(number)) return fmt::format(" (write {})", number);
  if (which == "latest" || which == "newest") return " (write last)";
  return did_you_mean(which, std::vector<std::string>{"best", "last"});
}

// `which` is a step, or a checkpoint's folder: its name, or a path that leads into this run.
int64_t step_named(const RunDir& run, const std::string& which) {
  fs::path path = fs::path(which).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const auto step = step_in(path.filename().string());
  if (step && !path.has_parent_path()) return *step;
  std::error_code error;
  const auto is_here = [&](const fs::path& folder) {
    return fs::equivalent(folder, run.checkpoints(), error);
  };
  if (step && (is_here(path.parent_path()) || is_here(run.path() / path.parent_path()))) return *step;
  if (fs::exists(path / "manifest.json", error))
    throw ConfigError(
        fmt::format("--checkpoint: {} is not a checkpoint of the run {}", which, run.path().string()));
  throw ConfigError(fmt::format(
      "--checkpoint: expected best, last, a step or the folder of one of the run's checkpoints, got \"{}\"{}",
      which, meant_instead(which)));
}

// A step that is asked for must be there and whole: another one is not an answer.
CheckpointInfo checkpoint_of_step(const RunDir& run, int64_t step, bool raw) {
  std::vector<int64_t> steps;
  for (const auto& each : list_checkpoints(run.checkpoints())) {
    steps.push_back(each.step);
    if (each.step != step) continue;
    if (const auto problem = weights_problem(each, raw); !problem.empty())
      throw DataError(fmt::format("{}: {}", each.folder.string(), problem));
    return each;
  }
  if (steps.empty()) throw DataError(why_no_checkpoint(run, {}));
  throw DataError(fmt::format("{}: no checkpoint of step {}; there are: {}", run.checkpoints().string(), step,
                              fmt::join(steps, ", ")));
}

}  // namespace

std::string weights_name(const CheckpointInfo& checkpoint, bool raw) {
  return !raw && checkpoint_has(checkpoint, "ema") ? "ema" : "model";
}

std::optional<BestCheckpoint> best_checkpoint(const RunDir& run) {
  for (const auto& each : list_checkpoints(run.checkpoints())) {
    try {
      const Json state = load_checkpoint_state(each);
      const JsonFields fields(state, (each.folder / "state.json").string());
      const Progress progress = progress_from_json(fields.object("progress"));
      if (!progress.best_validation) return std::nullopt;
      return BestCheckpoint{progress.best_step, *progress.best_validation};
    } catch (const std::exception&) {
      // A damaged one; the next older knows what was best then.
    }
  }
  return std::nullopt;
}

CheckpointInfo choose_checkpoint(const RunDir& run, const RunWeights& weights) {
  const auto& which = weights.checkpoint;
  const bool raw = weights.raw;
  if (which == "best") {
    const auto best = best_checkpoint(run);
    if (!best)
      throw DataError(
          fmt::format("{}: no best checkpoint, because nothing was validated yet (train.validate_every; "
                      "--checkpoint last takes the newest)",
                      run.path().string()));
    return checkpoint_of_step(run, best->step, raw);
  }
  if (!which.empty() && which != "last") return checkpoint_of_step(run, step_named(run, which), raw);
  // A run that trains on removes old ones meanwhile; what it has now is then listed again.
  for (bool vanished = true; vanished;) {
    vanished = false;
    for (const auto& each : list_checkpoints(run.checkpoints())) {
      const std::string problem = weights_problem(each, raw);
      if (problem.empty()) return each;
      if (fs::exists(each.folder))
        log::warning("{}: passed over: {}", each.folder.string(), problem);
      else
        vanished = true;
    }
  }
  throw DataError(why_no_checkpoint(run, [&](const auto& each) { return weights_problem(each, raw); }));
}

std::string why_no_checkpoint(const RunDir& run,
                              const std::function<std::string(const CheckpointInfo&)>& problem) {
  const fs::path folder = run.checkpoints();
  std::error_code error;
  if (fs::is_symlink(folder, error) && !fs::exists(folder, error))
    return fmt::format("{}: a link to {}, which is not there (mount that disk, or put the folder back)",
                       folder.string(), fs::read_symlink(folder, error).string());
  const auto found = list_checkpoints(folder);
  if (found.empty() && run.made_list().newest_step() >= 0)
    return fmt::format("{}: {}, though the run made checkpoints up to step {} (put them back)",
                       folder.string(),
                       fs::exists(folder, error) ? "no checkpoint is there" : "the folder is missing",
                       run.made_list().newest_step());
  if (found.empty())
    return fmt::format("{}: no checkpoint yet (train it first: gen train --run-dir {} --resume)",
                       folder.string(), shell_quote_path(run.path()));
  std::string text = fmt::format("{}: none of its {} checkpoints serves:", folder.string(), found.size());
  for (const auto& each : found)
    text += fmt::format("\n  step {}: {}", each.step, problem ? problem(each) : "damaged");
  return text;
}

}  // namespace gen
