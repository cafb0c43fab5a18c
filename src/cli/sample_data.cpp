#include "cli/sample_data.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "cli/run_data.h"
#include "gen/core/error.h"
#include "gen/data/loader.h"

namespace gen::cli {
int64_t draw_from_data(LoadedRun& loaded, const std::string& mode, SampleWriter& writer) {
  const c10::InferenceMode inference;
  Autoencoder* autoencoder = loaded.model->autoencoder();
  if (autoencoder == nullptr)
    throw ConfigError(
        fmt::format("gen sample: --mode {} asks for an autoencoder, which a model of type {} is not", mode,
                    loaded.experiment.model.type));
  const auto data = open_split(loaded);
  const bool rows = mode == "interpolate";
  const int64_t examples = rows ? 2 : 1, written = rows ? kStepsOfARow : 2;  // of a row, or of a pair
  if (data->size() < examples)
    throw ConfigError(fmt::format("gen sample: --mode {} needs {} examples, but the {} split has {}", mode,
                                  examples, loaded.experiment.eval.split, data->size()));
  const int64_t groups =
      std::clamp<int64_t>(loaded.experiment.sample.count / written, 1, data->size() / examples);
  const auto indices = evaluation_indices(*data, groups * examples);
  for (int64_t g = 0; g < groups; ++g) {
    const auto first = indices.begin() + g * examples;
    const at::Tensor x = read_batch(*data, {first, first + examples}, InPlace::next).to(loaded.device).x;
    Samples samples;
    samples.x = rows ? autoencoder->interpolate(x.slice(0, 0, 1), x.slice(0, 1), kStepsOfARow).flatten(0, 1)
                     : at::cat({x, autoencoder->reconstruct(x)});
    check_finite(samples, g * written);
    writer.add(samples, g * written);
  }
  return groups * written;
}

}  // namespace gen::cli
