// Checkpoints: RUN/checkpoints/step_00001000/{model,ema,optimizer}.safetensors, state.json, manifest.json.
// Written to a temporary folder, every close checked, fsynced, the manifest (sizes and hashes) last, then renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// Atomic: a crash at any moment leaves the earlier checkpoints as they were. Replaces one of the same step; where that one
/// holds files that no checkpoint has, or is a link, it is set aside under another name instead. `checkpoints` is made where
/// it is missing, its parent must be there. Throws IoError (disk full, read-only), having removed its temporary folder.
CheckpointInfo save_checkpoint(const std::filesystem::path& checkpoints, int64_t step,
                               const std::vector<TensorFile>& files, const Json& state);
/// The folder of a step: checkpoints/step_00001000.
std::filesystem::path checkpoint_path(const std::filesystem::path& checkpoints, int64_t step);
/// The step of a checkpoint folder's name ("step_00001000": 1000), -1 for other names.
int64_t checkpoint_step(const std::string& folder_name);
/// Newest first, complete or not; temporary folders are not listed.
std::vector<CheckpointInfo> list_checkpoints(const std::filesystem::path& checkpoints);

/// What of a checkpoint is held against its manifest.
struct VerifyOptions {
  std::vector<std::string>
      files;           ///< safetensors by name, those that will be read; empty: all that the manifest lists
  bool hashes = true;  ///< false: sizes alone
};
/// Empty when the manifest is whole and state.json and the files asked for have their sizes and hashes, otherwise what is
/// wrong.
std::string verify_checkpoint(const CheckpointInfo& checkpoint, const VerifyOptions& options = {});
/// The newest that verifies; logs a warning for each newer one it passes over.
std::optional<CheckpointInfo> newest_valid_checkpoint(const std::filesystem::path& checkpoints);
TensorMap load_checkpoint_tensors(const CheckpointInfo& checkpoint, const std::string& name,
                                  Metadata* metadata = nullptr);
/// Whether its manifest lists it, there or not.
bool checkpoint_has(const CheckpointInfo& checkpoint, const std::string& name);
/// Throws DataError where it is no object, or its "config_hash" no string.
Json load_checkpoint_state(const CheckpointInfo& checkpoint);

/// Whether it is a folder, no link, that holds nothing but what gen writes into a checkpoint: what its manifest lists.
bool is_checkpoint_folder(const std::filesystem::path& folder);
/// Removes such a folder; false, with nothing changed, for any other.
bool remove_checkpoint_folder(const std::filesystem::path& folder);
/// Renames it to a free name "NAME.set-aside", "NAME.set-aside-2", ..., and warns.
void set_aside(const std::filesystem::path& folder);

/// Which checkpoints a run keeps.
struct PruneRule {
  int64_t keep_last = 1;            ///< >= 1: the newest whole ones
  std::vector<int64_t> keep_steps;  ///< these, however old
  std::function<bool(const CheckpointInfo&)>
      made;  ///< whether the run made it: no other is removed, or counts
  std::function<bool(const CheckpointInfo&)> whole;  ///< asked from the newest on, until keep_last are found
};
/// Removes what is older than the newest `keep_last` whole checkpoints of the run's own. Damaged ones do not count and go with
/// their age; nothing goes while there are fewer whole ones, or through a link. Returns the folders removed.
std::vector<std::filesystem::path> prune_checkpoints(const std::filesystem::path& checkpoints,
                                                     const PruneRule& rule);

}  // namespace gen
