#include "train/warm_start.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "gen/io/checkpoint.h"
#include "gen/io/file.h"
#include "gen/io/safetensors.h"
#include "gen/nn/network.h"
#include "train/chosen_checkpoint.h"
#include "train/run_record.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

struct Source {
  TensorMap tensors;
  Json provenance;
};

Source from_file(const fs::path& file, const char* kind) {
  return {read_safetensors(file), {{"kind", kind}, {"file", file.string()}, {"xxh64", hash_file(file)}}};
}

Source from_checkpoint(const CheckpointInfo& checkpoint, const char* kind) {
  const std::string weights = weights_name(checkpoint, /*raw=*/false);
  Source source = from_file(checkpoint.folder / (weights + ".safetensors"), kind);
  source.provenance["step"] = checkpoint.step;
  source.provenance["weights"] = weights == "ema" ? "ema" : "raw";
  source.provenance["config_hash"] = load_checkpoint_state(checkpoint).value("config_hash", "");
  return source;
}

Source from_checkpoint_folder(const fs::path& folder) {
  const fs::path absolute = fs::absolute(folder).lexically_normal();
  const fs::path named = absolute.has_filename() ? absolute : absolute.parent_path();
  const CheckpointInfo checkpoint{folder, checkpoint_step(named.filename().string())};
  const std::string weights = weights_name(checkpoint, /*raw=*/false);
  if (const auto problem = verify_checkpoint(checkpoint, {{weights}}); !problem.empty())
    throw DataError(fmt::format("{}: {}", folder.string(), problem));
  return from_checkpoint(checkpoint, "checkpoint");
}

Source from_network_folder(const fs::path& folder) {
  std::string file;
  Source source;
  source.tensors = read_network_weights(folder, file);
  source.provenance = {{"kind", "network folder"}, {"file", file}, {"xxh64", hash_file(file)}};
  return source;
}

bool is_run(const fs::path& folder) {
  return fs::exists(folder / "run.json") || fs::is_directory(folder / "checkpoints");
}

Source open_source(const WarmStart& warm) {
  const fs::path& path = warm.source;
  std::error_code error;
  if (!fs::exists(path, error))
    throw ConfigError(
        fmt::format("{}: nothing there to begin from (--init-from takes a run, a checkpoint, a folder as "
                    "diffusers saves it, or a safetensors file)",
                    path.string()));
  const bool run = fs::is_directory(path) && is_run(path);
  if (!run && !warm.checkpoint.empty())
    throw ConfigError(
        fmt::format("--checkpoint {}: {} is not a run's folder, whose checkpoints it chooses from",
                    warm.checkpoint, path.string()));
  if (run) {
    const RunDir opened = RunDir::open_existing(path);
    return from_checkpoint(choose_checkpoint(opened, {false, warm.checkpoint}), "run");
  }
  if (!fs::is_directory(path)) return from_file(path, "file");
  if (fs::exists(path / "manifest.json")) return from_checkpoint_folder(path);
  return from_network_folder(path);
}

void load_into(Model& model, const Source& source) {
  load_state(model.module(), source.tensors, source.provenance.at("file").get<std::string>());
}

}  // namespace

Json begin_at(const WarmStart& warm, Model& model) {
  Source source = open_source(warm);
  load_into(model, source);
  Json provenance{{"source", warm.source.string()}, {"checkpoint", warm.checkpoint}};
  provenance.update(source.provenance);
  provenance["file"] = fs::absolute(provenance["file"].get<std::string>()).string();
  return provenance;
}

void begin_again_at(const Json& provenance, Model& model) {
  const std::string file = provenance.value("file", "");
  const std::string kind = provenance.value("kind", "");
  if (!fs::exists(file) || hash_file(file) != provenance.value("xxh64", ""))
    throw DataError(
        fmt::format("{}: {}, and the run has no checkpoint yet to go on from (put it back, or begin anew "
                    "with --overwrite)",
                    file, fs::exists(file) ? "another file than the run began with" : "missing"));
  if (kind == "network folder")
    load_into(model, from_network_folder(fs::path(file).parent_path()));
  else
    load_into(model, from_file(file, ""));
}

}  // namespace gen
