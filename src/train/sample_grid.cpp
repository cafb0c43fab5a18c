#include "train/sample_grid.h"

#include <torch/torch.h>

#include "gen/core/signals.h"
#include "gen/io/scatter.h"
#include "train/run_record.h"
#include "train/validation.h"

namespace gen {
namespace {

constexpr int64_t kMinTile = 64;

// Thrown out of a sampler between its steps.
struct StopAsked {};

at::Tensor draw(Session& session, const ExperimentOptions& experiment) {
  const int64_t total = experiment.train.sample_count;
  std::vector<at::Tensor> parts;
  for (int64_t first = 0; first < total; first += experiment.sample.batch_size) {
    SampleRequest request;
    request.count = std::min(experiment.sample.batch_size, total - first);
    request.first_index = first;
    request.seed = static_cast<uint64_t>(experiment.seed);
    request.device = session.device;
    request.sampler = experiment.sample.sampler;
    request.temperature = experiment.sample.temperature;
    request.progress = [](int64_t, int64_t) {
      if (signals::stop_requested()) throw StopAsked();
    };
    request.progress(0, 1);
    const Samples samples = session.model->sample(request);
    check_finite(samples, first);
    parts.push_back(samples.x.to(at::kCPU, at::kFloat));
  }
  return at::cat(parts);
}

}  // namespace

std::optional<Image> sample_grid(Session& session, const ExperimentOptions& experiment) {
  try {
    const EvaluationScope scope(session, experiment);
    const at::Tensor samples = draw(session, experiment);
    return session.data->spec().kind == DataKind::images ? make_grid(samples, 0, 2, kMinTile)
                                                         : scatter_plot(samples);
  } catch (const StopAsked&) {
    return std::nullopt;
  }
}

Metadata picture_notes(const ExperimentOptions& experiment, int64_t step) {
  return {{"seed", fmt::format("{}", experiment.seed)},
          {"step", fmt::format("{}", step)},
          {"config_hash", config_hash(experiment)},
          {"name", experiment.name}};
}

}  // namespace gen
