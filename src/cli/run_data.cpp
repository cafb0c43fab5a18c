#include "cli/run_data.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"

namespace gen::cli {

std::unique_ptr<Dataset> open_split(const LoadedRun& loaded) {
  const auto& experiment = loaded.experiment;
  auto data = datasets().make(experiment.data, split_named(experiment.eval.split));
  if (!(data->spec() == loaded.data))
    throw DataError(fmt::format("{}: trained on {}, but the data are now {}", experiment.name,
                                to_json(loaded.data).dump(), to_json(data->spec()).dump()));
  if (data->size() == 0)
    throw ConfigError(
        fmt::format("{}: nothing was held out as the {} split (gen describe data {} tells how to, or "
                    "take another: --set eval.split=train)",
                    experiment.name, experiment.eval.split, experiment.data.type));
  return data;
}

}  // namespace gen::cli
