#include "train/load_weights.h"

#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/nn/network.h"
#include "train/chosen_checkpoint.h"
#include "train/run_record.h"

namespace gen {
namespace {

// A run that trains on prunes a checkpoint while it is read: how often the next one is taken instead.
constexpr int kMaxPruned = 10;

}  // namespace

void load_weights(const RunDir& run, const Json& record, const RunWeights& which, CheckpointInfo checkpoint,
                  LoadedRun& loaded) {
  for (int attempt = 1;; ++attempt) {
    try {
      refuse_another_runs(run, checkpoint, record, load_checkpoint_state(checkpoint),
                          "move it away, or take another with --checkpoint");
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

}  // namespace gen
