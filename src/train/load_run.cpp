#include <nlohmann/json.hpp>

#include "gen/core/device.h"
#include "gen/nn/network.h"
#include "gen/train/trainer.h"
#include "train/load_weights.h"
#include "train/run_record.h"
#include "train/session.h"

namespace gen {

LoadedRun load_run(const std::filesystem::path& folder, const std::string& device, const RunWeights& weights,
                   const std::vector<Setting>& sets) {
  const RunDir run = RunDir::open_existing(folder);
  LoadedRun loaded;
  loaded.experiment = load_experiment(run.config(), sets, {.check_paths = false});
  const Json record = read_record(run.run());
  check_unedited(run);
  loaded.data = data_spec_from_json(JsonFields(record, run.run().string()).object("data"));
  const auto checkpoint = choose_checkpoint(run, weights);  // told before a large model is built
  loaded.device = resolve_device(device.empty() ? loaded.experiment.device : device);
  loaded.model = build_model(loaded.experiment, loaded.data, loaded.device);
  load_weights(run, record, weights, checkpoint, loaded);
  for (auto& parameter : loaded.model->module().parameters()) parameter.set_requires_grad(false);
  loaded.model->module().eval();
  return loaded;
}

}  // namespace gen
