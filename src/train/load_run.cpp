#include <nlohmann/json.hpp>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/json_file.h"
#include "gen/nn/network.h"
#include "gen/train/trainer.h"
#include "train/chosen_checkpoint.h"
#include "train/run_record.h"
#include "train/session.h"

namespace gen {
namespace {

// A run that trains on prunes a checkpoint while it is read: how often the next one is taken instead.
constexpr int kMaxPruned = 10;

void refuse_another_runs(const RunDir& run, const CheckpointInfo& checkpoint, const Json& record) {
  if (was_trained_here(record, load_checkpoint_state(checkpoint))) return;
  throw DataError(
      fmt::format("{}: not a checkpoint of this run: its state.json has a config hash that {} does not list "
                  "(move it away, or take another with --checkpoint)",
                  checkpoint.folder.string(), run.run().string()));
}

void load_weights(const RunDir& run, const Json& record, const RunWeights& which, CheckpointInfo checkpoint,
                  LoadedRun& loaded) {
  for (int attempt = 1;; ++attempt) {
    try {
      refuse_another_runs(run, checkpoint, record);
      const std::string weights = weights_name(checkpoint, which.raw);
      load_state(loaded.model->module(), load_checkpoint_tensors(checkpoint, weights),
                 (checkpoint.folder / (weights + ".safetensors")).string());
      loaded.ema = weights == "ema";
      loaded.step = checkpoint.step;
      return;
    } catch (const Error&) {
      if (attempt == kMaxPruned || std::filesystem::exists(checkpoint.folder / "manifest.json")) throw;
    }
    checkpoint = choose_checkpoint(run, which);
  }
}

}  // namespace

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
