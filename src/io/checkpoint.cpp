#include "gen/io/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "gen/core/check.h"
#include "gen/core/log.h"
#include "gen/core/units.h"
#include "gen/io/file.h"
#include "gen/io/run_dir.h"
#include "gen/io/safetensors.h"
#include "io/posix.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr const char* kTemporary = ".tmp-";

std::string folder_name(int64_t step) { return fmt::format("step_{:08}", step); }

// The step of a folder's name, or -1.
int64_t step_of(const std::string& name) {
  const std::string digits = name.starts_with("step_") ? name.substr(5) : "";
  const bool number =
      !digits.empty() && digits.size() <= 18 &&
      std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); });
  const int64_t step = number ? std::stoll(digits) : -1;
  return step >= 0 && folder_name(step) == name ? step : -1;
}

// A folder to write into, removed unless it is kept.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {
    std::error_code error;
    fs::remove_all(path_, error);
    if (!fs::create_directory(path_, error))
      throw IoError(fmt::format("{}: cannot create the folder: {}", path_.string(), error.message()));
    fault_point("create folder");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
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
        "{}: a checkpoint needs {} but the disk has {} left (free some space and run the same "
        "command again)",
        folder.string(), human_bytes(static_cast<double>(needed)), human_bytes(static_cast<double>(free))));
}

// Gives `fresh` the name `place` at one stroke, whether or not `place` is taken; what it held is then in
// `fresh`.
void move_into_place(const fs::path& fresh, const fs::path& place) {
  if (::rename(fresh.c_str(), place.c_str()) == 0) return fault_point("rename folder");
  if (errno != ENOTEMPTY && errno != EEXIST) posix::fail(place, "rename the finished checkpoint to its name");
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
  std::error_code ignored;
  fs::remove_all(aside, ignored);
}

std::string check_file(const fs::path& path, const Json& expected) {
  if (!expected.is_object() || !expected.contains("bytes") || !expected["bytes"].is_number_unsigned() ||
      !expected.contains("xxh64") || !expected["xxh64"].is_string())
    return fmt::format("the manifest's entry for {} is malformed", path.filename().string());
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) return fmt::format("{} is missing", path.filename().string());
  if (bytes != expected["bytes"].get<uint64_t>())
    return fmt::format("{} has {} bytes, expected {}", path.filename().string(), bytes,
                       expected["bytes"].get<uint64_t>());
  if (hash_file(path) != expected["xxh64"].get<std::string>())
    return fmt::format("{} is corrupted (its hash differs)", path.filename().string());
  return {};
}

}  // namespace

CheckpointInfo save_checkpoint(const fs::path& checkpoints, int64_t step,
                               const std::vector<TensorFile>& files, const Json& state) {
  GEN_CHECK(step >= 0, "step {} is negative", step);
  std::error_code error;
  fs::create_directories(checkpoints, error);
  if (error)
    throw IoError(fmt::format("{}: cannot create the folder: {}", checkpoints.string(), error.message()));
  check_free_space(checkpoints, files);
  const TemporaryFolder fresh(checkpoints /
                              fmt::format("{}{}-{}", kTemporary, folder_name(step), ::getpid()));
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
  write_json(fresh.path() / "state.json", state);
  record("state.json");
  write_json(fresh.path() / "manifest.json", manifest);
  const CheckpointInfo info{checkpoints / folder_name(step), step};
  move_into_place(fresh.path(), info.folder);
  posix::sync_folder(checkpoints);
  return info;
}

std::vector<CheckpointInfo> list_checkpoints(const fs::path& checkpoints) {
  std::vector<CheckpointInfo> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints, error)) {
    const int64_t step = step_of(entry.path().filename().string());
    std::error_code ignored;
    if (step >= 0 && entry.is_directory(ignored)) found.push_back({entry.path(), step});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return found;
}

std::string verify_checkpoint(const CheckpointInfo& checkpoint) {
  try {
    if (!fs::exists(checkpoint.folder / "manifest.json"))
      return "manifest.json is missing (it was never finished)";
    const Json manifest = read_json(checkpoint.folder / "manifest.json");
    const bool whole = manifest.is_object() && manifest.contains("files") && manifest["files"].is_object() &&
                       manifest["files"].contains("state.json") && manifest.contains("step") &&
                       manifest.contains("format");
    if (!whole) return "manifest.json is malformed";
    if (manifest["format"] != kFormat)
      return fmt::format("manifest.json is of format {}, this program reads format {}",
                         manifest["format"].dump(), kFormat);
    if (manifest["step"] != checkpoint.step)
      return fmt::format("manifest.json is of step {}, the folder of step {}", manifest["step"].dump(),
                         checkpoint.step);
    for (const auto& [name, expected] : manifest["files"].items()) {
      if (name.find('/') != std::string::npos) return "manifest.json names a file outside the checkpoint";
      if (auto problem = check_file(checkpoint.folder / name, expected); !problem.empty()) return problem;
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
  return fs::exists(checkpoint.folder / (name + ".safetensors"));
}

Json load_checkpoint_state(const CheckpointInfo& checkpoint) {
  return read_json(checkpoint.folder / "state.json");
}

void prune_checkpoints(const fs::path& checkpoints, int64_t keep_last,
                       const std::vector<int64_t>& keep_steps) {
  GEN_CHECK(keep_last >= 1, "keep_last is {}: the newest checkpoint is never removed", keep_last);
  const auto found = list_checkpoints(checkpoints);
  for (size_t i = static_cast<size_t>(keep_last); i < found.size(); ++i) {
    if (std::find(keep_steps.begin(), keep_steps.end(), found[i].step) != keep_steps.end()) continue;
    // Renamed first: a removal that is cut short leaves a temporary folder, not half a checkpoint.
    const fs::path doomed = checkpoints / (kTemporary + found[i].folder.filename().string() + "-pruned");
    if (::rename(found[i].folder.c_str(), doomed.c_str()) != 0)
      posix::fail(found[i].folder, "remove the checkpoint");
    fault_point("rename pruned folder");
  }
  std::error_code error;
  std::vector<fs::path> temporary;
  for (const auto& entry : fs::directory_iterator(checkpoints, error))
    if (entry.path().filename().string().starts_with(kTemporary)) temporary.push_back(entry.path());
  for (const auto& path : temporary) fs::remove_all(path, error);
}

}  // namespace gen
