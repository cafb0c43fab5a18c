#include "gen/io/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "gen/config/json_fields.h"
#include "gen/core/check.h"
#include "gen/core/log.h"
#include "gen/core/units.h"
#include "gen/io/file.h"
#include "gen/io/json_file.h"
#include "gen/io/run_dir.h"
#include "gen/io/safetensors.h"
#include "io/checkpoint_folder.h"
#include "io/posix.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr const char* kTemporary = ".tmp-";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kState = "state.json";

std::string folder_name(int64_t step) { return fmt::format("step_{:08}", step); }

// A folder to write into; at its end what is then in it goes, or is set aside as `place`'s where it is no checkpoint's.
class TemporaryFolder {
 public:
  TemporaryFolder(fs::path path, fs::path place) : path_(std::move(path)), place_(std::move(place)) {
    remove_checkpoint_folder(path_);
    if (::mkdir(path_.c_str(), 0777) != 0) posix::fail(path_, "create the folder");
    fault_point("create folder");
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!remove_checkpoint_folder(path_) && fs::exists(fs::symlink_status(path_, error)))
      set_aside(path_, place_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_, place_;
};

// Better to fail before the disk is full than to fill it: other programs use it too.
void check_free_space(const fs::path& folder, const std::vector<TensorFile>& files) {
  uint64_t needed = 1 << 16;
  for (const auto& file : files)
    for (const auto& [name, tensor] : file.tensors) needed += tensor.nbytes() + name.size() + 128;
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) != 0) return;
  const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free < needed)
    throw IoError(fmt::format(
        "{}: a checkpoint needs {} but the disk has {} left (free some space, then try again)",
        folder.string(), human_bytes(static_cast<double>(needed)), human_bytes(static_cast<double>(free))));
}

// Gives `fresh` the name `place` at one stroke, whether or not `place` is taken; what it held is then in
// `fresh`.
void move_into_place(const fs::path& fresh, const fs::path& place) {
  if (::rename(fresh.c_str(), place.c_str()) == 0) return fault_point("rename folder");
  if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
    posix::fail(place, "rename the finished checkpoint to its name");
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0)
    return fault_point("exchange folders");
  // A file system that cannot exchange: for a moment neither has the name, and the checkpoint before this one
  // serves.
  const fs::path aside = fresh.string() + "-old";
  if (::rename(place.c_str(), aside.c_str()) != 0) posix::fail(place, "rename the checkpoint to be replaced");
  fault_point("rename old folder");
  if (::rename(fresh.c_str(), place.c_str()) != 0)
    posix::fail(place, "rename the finished checkpoint to its name");
  fault_point("rename folder");
  if (::rename(aside.c_str(), fresh.c_str()) != 0)
    posix::fail(aside, "rename the checkpoint that was replaced");
}

std::string check_file(const fs::path& path, const Json& expected, bool hash) {
  if (!expected.is_object() || !expected.contains("bytes") || !expected["bytes"].is_number_unsigned() ||
      !expected.contains("xxh64") || !expected["xxh64"].is_string())
    return fmt::format("the manifest's entry for {} is malformed", path.filename().string());
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) return fmt::format("{} is missing", path.filename().string());
  if (bytes != expected["bytes"].get<uint64_t>())
    return fmt::format("{} has {} bytes, expected {}", path.filename().string(), bytes,
                       expected["bytes"].get<uint64_t>());
  if (hash && hash_file(path) != expected["xxh64"].get<std::string>())
    return fmt::format("{} is corrupted (its hash differs)", path.filename().string());
  return {};
}

}  // namespace

CheckpointInfo save_checkpoint(const fs::path& checkpoints, int64_t step,
                               const std::vector<TensorFile>& files, const Json& state) {
  GEN_CHECK(step >= 0, "step {} is negative", step);
  // Not its parents: a run's folder that is gone is not begun again.
  if (::mkdir(checkpoints.c_str(), 0777) != 0 && errno != EEXIST)
    posix::fail(checkpoints, "create the folder");
  check_free_space(checkpoints, files);
  const CheckpointInfo info{checkpoint_path(checkpoints, step), step};
  const TemporaryFolder fresh(checkpoints / fmt::format("{}{}-{}", kTemporary, folder_name(step), ::getpid()),
                              info.folder);
  Json manifest = {{"format", kFormat}, {"step", step}, {"files", Json::object()}};
  const auto record = [&](const std::string& name) {
    const fs::path path = fresh.path() / name;
    manifest["files"][name] = {{"bytes", static_cast<uint64_t>(fs::file_size(path))},
                               {"xxh64", hash_file(path)}};
  };
  for (const auto& file : files) {
    write_safetensors(fresh.path() / (file.name + ".safetensors"), file.tensors, file.metadata);
    record(file.name + ".safetensors");
  }
  write_json(fresh.path() / kState, state);
  record(kState);
  write_json(fresh.path() / kManifest, manifest);
  move_into_place(fresh.path(), info.folder);
  posix::sync_folder(checkpoints);
  return info;
}

fs::path checkpoint_path(const fs::path& checkpoints, int64_t step) {
  return checkpoints / folder_name(step);
}

int64_t checkpoint_step(const std::string& name) {
  const std::string digits = name.starts_with("step_") ? name.substr(5) : "";
  const bool number =
      !digits.empty() && digits.size() <= 18 &&
      std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); });
  const int64_t step = number ? std::stoll(digits) : -1;
  return step >= 0 && folder_name(step) == name ? step : -1;
}

std::vector<CheckpointInfo> list_checkpoints(const fs::path& checkpoints) {
  std::vector<CheckpointInfo> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints, error)) {
    const int64_t step = checkpoint_step(entry.path().filename().string());
    std::error_code ignored;
    if (step >= 0 && entry.is_directory(ignored)) found.push_back({entry.path(), step});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return found;
}

std::string verify_checkpoint(const CheckpointInfo& checkpoint, const VerifyOptions& options) {
  try {
    if (!fs::exists(checkpoint.folder / kManifest)) return "manifest.json is missing (it was never finished)";
    const Json manifest = read_json(checkpoint.folder / kManifest);
    const bool whole = manifest.is_object() && manifest.contains("files") && manifest["files"].is_object() &&
                       manifest["files"].contains(kState) && manifest.contains("step") &&
                       manifest.contains("format");
    if (!whole) return "manifest.json is malformed";
    if (manifest["format"] != kFormat)
      return fmt::format("manifest.json is of format {}, this program reads format {}",
                         manifest["format"].dump(), kFormat);
    if (manifest["step"] != checkpoint.step)
      return fmt::format("manifest.json is of step {}, the folder of step {}", manifest["step"].dump(),
                         checkpoint.step);
    std::set<std::string> wanted{kState};
    for (const auto& name : options.files) wanted.insert(name + ".safetensors");
    for (const auto& name : wanted)
      if (!manifest["files"].contains(name)) return fmt::format("manifest.json lists no {}", name);
    for (const auto& [name, expected] : manifest["files"].items()) {
      if (name.find('/') != std::string::npos) return "manifest.json names a file outside the checkpoint";
      if (!options.files.empty() && !wanted.contains(name)) continue;
      if (auto problem = check_file(checkpoint.folder / name, expected, options.hashes); !problem.empty())
        return problem;
    }
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::optional<CheckpointInfo> newest_valid_checkpoint(const fs::path& checkpoints) {
  for (const auto& each : list_checkpoints(checkpoints)) {
    const std::string problem = verify_checkpoint(each);
    if (problem.empty()) return each;
    log::warning("{}: passed over: {}", each.folder.string(), problem);
  }
  return std::nullopt;
}

TensorMap load_checkpoint_tensors(const CheckpointInfo& checkpoint, const std::string& name,
                                  Metadata* metadata) {
  return read_safetensors(checkpoint.folder / (name + ".safetensors"), metadata);
}

bool checkpoint_has(const CheckpointInfo& checkpoint, const std::string& name) {
  const Json manifest = read_json(checkpoint.folder / kManifest);
  return manifest.is_object() && manifest.contains("files") && manifest["files"].is_object() &&
         manifest["files"].contains(name + ".safetensors");
}

Json load_checkpoint_state(const CheckpointInfo& checkpoint) {
  const fs::path path = checkpoint.folder / kState;
  Json state = read_json(path);
  JsonFields(state, path.string()).get_or<std::string>("config_hash", "");
  return state;
}

}  // namespace gen
