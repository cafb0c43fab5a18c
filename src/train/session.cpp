#include "train/session.h"

#include "gen/core/device.h"
#include "gen/core/log.h"
#include "gen/core/parallel.h"
#include "gen/core/rng.h"
#include "gen/nn/network.h"
#include "gen/train/parts.h"

namespace gen {
namespace {

void limit_threads(int wanted) {
  const int given = use_threads(wanted);
  if (given < wanted)
    log::warning(
        "train.threads: {} are asked for and the system gives {} (OMP_THREAD_LIMIT, a container's limit?); "
        "results stay the same",
        wanted, given);
}

}  // namespace

Session::Session(const ExperimentOptions& experiment)
    : device(resolve_device(experiment.device)), scaler(experiment.train.precision == Precision::fp16) {
  const TrainOptions& options = experiment.train;
  check_precision(options.precision, device);
  if (options.threads > 0) limit_threads(static_cast<int>(options.threads));
  Parts parts = build_parts(experiment, device);
  for (const auto& warning : parts.warnings) log::warning("{}", warning);
  data = parts.data;
  validation = parts.validation;
  model = std::move(parts.model);
  optimizer = optimizers().make(options.optimizer, parameter_groups(model->module()));
  schedule = lr_schedules().make(options.lr_schedule);
  start_average(options);
}

void Session::start_average(const TrainOptions& options) {
  if (options.ema.enabled())
    ema.emplace(model->module(), options.ema, options.batch_size * options.gradient_accumulation);
}

std::unique_ptr<Model> build_model(const ExperimentOptions& experiment, const DataSpec& spec,
                                   at::Device device) {
  seed_default_generators(derive_seed(static_cast<uint64_t>(experiment.seed), Stream::init));
  auto model = models().make(experiment.model, spec);
  model->module().to(device);
  return model;
}

std::unique_ptr<Loader> open_loader(const Session& session, const ExperimentOptions& experiment,
                                    int64_t position) {
  LoaderOptions options;
  options.batch_size = experiment.train.batch_size;
  options.shuffle = experiment.train.shuffle;
  options.workers = experiment.train.data_workers;
  options.seed = static_cast<uint64_t>(experiment.seed);
  return std::make_unique<Loader>(session.data, options, position);
}

TensorMap weights_of(Model& model) { return state_of(model.module()); }

}  // namespace gen
