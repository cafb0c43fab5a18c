// Checkpoints: RUN/checkpoints/step_00001000/{model,ema,optimizer}.safetensors, state.json, manifest.json.
// Written to a temporary folder, every close checked, fsynced, the manifest (sizes and hashes) last, then renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gen/config/json.h"
#include "gen/io/tensor_map.h"

namespace gen {

/// One safetensors file of a checkpoint; `name` without extension.
struct TensorFile {
  std::string name;
  TensorMap tensors;
  Metadata metadata;
};

struct CheckpointInfo {
  std::filesystem::path folder;
  int64_t step = 0;
};

/// Atomic: a crash at any moment leaves the earlier checkpoints as they were. Replaces one of the same step.
/// Throws IoError (disk full, read-only), having removed its temporary folder.
CheckpointInfo save_checkpoint(const std::filesystem::path& checkpoints, int64_t step,
                               const std::vector<TensorFile>& files, const Json& state);
/// Newest first, complete or not; temporary folders are not listed.
std::vector<CheckpointInfo> list_checkpoints(const std::filesystem::path& checkpoints);
/// Empty when every file of the manifest has its size and hash, otherwise what is wrong.
std::string verify_checkpoint(const CheckpointInfo& checkpoint);
/// The newest that verifies; logs a warning for each newer one it passes over.
std::optional<CheckpointInfo> newest_valid_checkpoint(const std::filesystem::path& checkpoints);
TensorMap load_checkpoint_tensors(const CheckpointInfo& checkpoint, const std::string& name,
                                  Metadata* metadata = nullptr);
bool checkpoint_has(const CheckpointInfo& checkpoint, const std::string& name);
Json load_checkpoint_state(const CheckpointInfo& checkpoint);
/// Removes all but the newest `keep_last` (>= 1) and those whose step is in `keep_steps`; also temporary folders that
/// a killed process left.
void prune_checkpoints(const std::filesystem::path& checkpoints, int64_t keep_last,
                       const std::vector<int64_t>& keep_steps);

}  // namespace gen
