#include "cli/score.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>

#include "cli/progress_line.h"
#include "gen/data/loader.h"

namespace gen::cli {
namespace {

void score_all(LoadedRun& loaded, const Dataset& data, const std::vector<int64_t>& indices,
               std::vector<std::unique_ptr<Metric>>& metrics, bool quiet, Scored& scored) {
  const torch::NoGradGuard no_grad;
  const auto& options = loaded.experiment.eval;
  const auto seed = static_cast<uint64_t>(loaded.experiment.seed);
  const int64_t examples = std::ssize(indices);
  ProgressLine progress(quiet);
  for (int64_t first = 0; first < examples; first += options.batch_size) {
    progress.update(fmt::format("example {} of {}", first, examples));
    const int64_t count = std::min(options.batch_size, examples - first);
    const Batch batch =
        read_batch(data, {indices.begin() + first, indices.begin() + first + count}).to(loaded.device);
    scored.skipped.add(batch.skipped);
    if (batch.size() == 0) continue;
    for (auto& metric : metrics) {
      // The same for every metric, so that two scores of one quantity agree.
      Rng rng(derive_seed(seed, Stream::eval, static_cast<uint64_t>(first / options.batch_size),
                          static_cast<uint64_t>(data.split())),
              loaded.device);
      metric->update(*loaded.model, batch, rng);
    }
    scored.examples += batch.size();
  }
}

}  // namespace

Scored score(LoadedRun& loaded, const Dataset& data, const std::vector<int64_t>& indices,
             std::vector<std::unique_ptr<Metric>>& metrics, bool quiet) {
  Scored scored{0, SkippedExamples(data.bad_examples()), {}};
  try {
    score_all(loaded, data, indices, metrics, quiet, scored);
    if (scored.examples == 0)
      throw DataError(fmt::format("{} (none of the {} examples can be read)",
                                  scored.skipped.by_index().begin()->second, indices.size()));
  } catch (const Error& error) {
    const bool scores_hold =
        dynamic_cast<const ExampleError*>(&error) != nullptr || error.code() == ExitCode::interrupted;
    if (!scores_hold || scored.examples == 0) throw;
    scored.ended = error;
  }
  return scored;
}

}  // namespace gen::cli
