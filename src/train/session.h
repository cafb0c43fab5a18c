// What an experiment names, built: device, data, model, and what trains it.
#pragma once

#include <memory>
#include <optional>

#include "gen/data/loader.h"
#include "gen/models/model.h"
#include "gen/train/experiment.h"
#include "gen/train/optimizer.h"
#include "train/ema.h"
#include "train/precision.h"

namespace gen {

struct Session {
  at::Device device = at::kCPU;
  std::shared_ptr<const Dataset> data;
  std::shared_ptr<const Dataset> validation;  ///< null where the data set has no such split
  std::unique_ptr<Model> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<LrSchedule> schedule;
  std::optional<Ema> ema;
  LossScaler scaler{false};

  Session() = default;
  explicit Session(const ExperimentOptions& experiment);
  /// Lets the average of the weights, where the config asks for one, begin at the weights as they are now.
  void start_average(const TrainOptions& options);
};

/// The model on its device; its initial weights depend on the seed alone.
std::unique_ptr<Model> build_model(const ExperimentOptions& experiment, const DataSpec& spec,
                                   at::Device device);
/// The training batches from number `position` on.
std::unique_ptr<Loader> open_loader(const Session& session, const ExperimentOptions& experiment,
                                    int64_t position);
/// Parameters and buffers by name.
TensorMap weights_of(Model& model);

}  // namespace gen
