#include "train/bad_example.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/core/quote.h"

namespace gen {

ExampleError with_way_on(const ExampleError& error, const ExperimentOptions& experiment, const RunDir& run,
                         int64_t checkpoint_step, const std::string& refusal) {
  std::string text = error.what();
  std::error_code code;
  const bool resumes = std::filesystem::exists(run.config(), code);
  if (!refusal.empty())
    text += fmt::format("\n  and {} could not be saved: {}", resumes ? "no checkpoint" : "the run", refusal);
  const Json data = dump(experiment.data);
  const std::string resume =
      resumes ? fmt::format("gen train --run-dir {} --resume", shell_quote_path(run.path()))
              : "the same command again";
  text += checkpoint_step < 0 ? "\n  nothing is trained yet"
                              : fmt::format("\n  the newest checkpoint is of step {}", checkpoint_step);
  text += fmt::format("; once the data are repaired:\n    {}", resume);
  if (!data.contains("on_error")) return {text, error.index};
  if (data["on_error"] == "error")
    text += fmt::format(
        "\n  or pass over such examples, data.max_skipped of them at most:\n    {} --set data.on_error=skip",
        resume);
  else
    text += fmt::format("\n  or allow more of them:\n    {} --set data.max_skipped={}", resume,
                        10 * std::max<int64_t>(1, data["max_skipped"].get<int64_t>()));
  return {text, error.index};
}

}  // namespace gen
