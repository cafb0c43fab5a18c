#include <nlohmann/json.hpp>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/nn/network.h"
#include "gen/train/trainer.h"
#include "train/session.h"

namespace gen {

LoadedRun load_run(const std::filesystem::path& folder, const std::string& device, bool raw,
                   const std::vector<std::string>& sets) {
  const RunDir run = RunDir::open_existing(folder);
  LoadedRun loaded;
  loaded.experiment = load_experiment(run.config(), sets, {.check_paths = false});
  const Json record = read_json(run.run());
  if (!record.contains("data"))
    throw DataError(
        fmt::format("{}: expected the run's \"data\", which `gen train` writes", run.run().string()));
  loaded.data = data_spec_from_json(record["data"]);
  const auto checkpoint = newest_valid_checkpoint(run.checkpoints());
  if (!checkpoint)
    throw DataError(
        fmt::format("{}: no valid checkpoint yet (train it first: gen train --config {} --run-dir {} "
                    "--resume)",
                    run.checkpoints().string(), run.config().string(), run.path().string()));
  loaded.device = resolve_device(device.empty() ? loaded.experiment.device : device);
  loaded.model = build_model(loaded.experiment, loaded.data, loaded.device);
  loaded.ema = !raw && checkpoint_has(*checkpoint, "ema");
  loaded.step = checkpoint->step;
  const std::string weights = loaded.ema ? "ema" : "model";
  load_state(loaded.model->module(), load_checkpoint_tensors(*checkpoint, weights),
             (checkpoint->folder / (weights + ".safetensors")).string());
  for (auto& parameter : loaded.model->module().parameters()) parameter.set_requires_grad(false);
  loaded.model->module().eval();
  loaded.model->prepare_inference(loaded.experiment.sample.precision == Precision::bf16 ? at::kBFloat16
                                                                                        : at::kFloat);
  return loaded;
}

}  // namespace gen
