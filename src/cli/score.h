// Metrics over a split, as far as it can be read.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "gen/data/dataset.h"
#include "gen/metrics/metric.h"
#include "gen/train/trainer.h"

namespace gen::cli {

struct Scored {
  int64_t examples = 0;        ///< that the metrics have seen
  SkippedExamples skipped;     ///< left out, as data.on_error says
  std::optional<Error> ended;  ///< why not all were scored: an example that cannot be read, or a signal
};

/// Updates the metrics with the examples of `data` at `indices`, batch by batch; batch b draws from its own stream, so that
/// a score depends on the seed and the batch size alone. Where it ends early the metrics hold what was scored. Throws
/// where that is nothing.
Scored score(LoadedRun& loaded, const Dataset& data, const std::vector<int64_t>& indices,
             std::vector<std::unique_ptr<Metric>>& metrics, bool quiet);

}  // namespace gen::cli
