#include "train/bad_example.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/core/quote.h"

namespace gen {

BuffersOfAStep::BuffersOfAStep(const torch::nn::Module& module, bool several) {
  if (!several) return;
  const at::NoGradGuard no_grad;
  buffers_ = module.buffers();
  for (const auto& buffer : buffers_) before_.push_back(buffer.clone());
}

BuffersOfAStep::~BuffersOfAStep() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < before_.size(); ++i) buffers_[i].copy_(before_[i]);
}

ExampleError with_way_on(const ExampleError& error, const ExperimentOptions& experiment, const RunDir& run,
                         int64_t checkpoint_step, const std::string& refusal) {
  std::string text = error.what();
  if (!refusal.empty()) text += fmt::format("\n  and no checkpoint could be saved: {}", refusal);
  const Json data = dump(experiment.data);
  if (checkpoint_step < 0)
    return {text + "\n  nothing is trained yet" +
                (data.contains("on_error") ? "; --set data.on_error=skip passes over such examples" : ""),
            error.index};
  const std::string resume = fmt::format("gen train --run-dir {} --resume", shell_quote_path(run.path()));
  text += fmt::format("\n  the newest checkpoint is of step {}; once the data are repaired:\n    {}",
                      checkpoint_step, resume);
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
