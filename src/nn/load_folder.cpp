#include <nlohmann/json.hpp>
#include <set>

#include "gen/config/load.h"
#include "gen/core/error.h"
#include "gen/core/text.h"
#include "gen/io/json_file.h"
#include "gen/io/safetensors.h"
#include "gen/nn/network.h"
#include "nn/mlp.h"
#include "nn/unet2d/unet2d.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";

/// Tensors of the shards that an index names. Every tensor must be in the shard that the index says.
TensorMap read_shards(const fs::path& index_path) {
  const Json index = read_json(index_path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw DataError(fmt::format("{}: expected an object with \"weight_map\"", index_path.string()));
  std::map<std::string, std::set<std::string>> names_by_shard;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    const auto file = shard.is_string() ? shard.get<std::string>() : std::string();
    if (file.empty() || fs::path(file).has_parent_path() || printable_line(file) != file)
      throw DataError(fmt::format("{}: /weight_map/{}: expected the name of a file beside it, got {}",
                                  index_path.string(), printable_line(name), shard.dump()));
    names_by_shard[file].insert(name);
  }
  TensorMap tensors;
  for (const auto& [shard, names] : names_by_shard) {
    TensorMap part = read_safetensors(index_path.parent_path() / shard);
    for (const auto& name : names)
      if (!part.contains(name))
        throw DataError(fmt::format("{}: tensor {} is missing, which {} says is there", shard,
                                    printable_line(name), index_path.string()));
    tensors.merge(part);
  }
  return tensors;
}

TensorMap read_weights(const fs::path& folder, std::string& source) {
  const auto single = folder / kWeights;
  const auto index = folder / (std::string(kWeights) + ".index.json");
  source = single.string();
  if (fs::exists(single)) return read_safetensors(single);
  source = index.string();
  if (fs::exists(index)) return read_shards(index);
  throw DataError(fmt::format("{}: expected {} or its shards with {}.index.json, found neither",
                              folder.string(), kWeights, kWeights));
}

/// The names that diffusers gave the attention's projections before its version 0.17.
TensorMap with_current_names(TensorMap tensors) {
  static const std::map<std::string, std::string> kRenamed{
      {"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}};
  TensorMap renamed;
  for (auto& [name, tensor] : tensors) {
    std::string current = name;
    const size_t leaf = name.rfind('.');
    const size_t owner =
        leaf == std::string::npos || leaf == 0 ? std::string::npos : name.rfind('.', leaf - 1);
    if (owner != std::string::npos && name.find("attentions.") != std::string::npos) {
      const auto found = kRenamed.find(name.substr(owner + 1, leaf - owner - 1));
      if (found != kRenamed.end()) current = name.substr(0, owner + 1) + found->second + name.substr(leaf);
    }
    renamed[current] = std::move(tensor);
  }
  return renamed;
}

template <class Options>
Options options_of(const Document& document) {
  Issues issues;
  Options options;
  load(document, options, issues, "", {.ignore_bookkeeping = true});
  issues.throw_if_any();
  return options;
}

std::shared_ptr<DenoisingNetwork> make_network(const fs::path& path) {
  Issues issues;
  Document document = Document::read(path, issues);
  issues.throw_if_any();
  Json& config = document.root();
  const std::string name = config.is_object() ? config.value("_class_name", "") : "";
  if (name == "Mlp") return make_mlp(options_of<MlpOptions>(document), {});
  if (name != "UNet2DModel")
    throw DataError(fmt::format(
        "{}: /_class_name: expected \"UNet2DModel\" or \"Mlp\", got {}", path.string(),
        config.is_object() && config.contains("_class_name") ? config["_class_name"].dump() : "none"));
  // diffusers writes [H, W] for images that are not square; the weights do not depend on it.
  if (config.contains("sample_size") && config["sample_size"].is_array()) config["sample_size"] = nullptr;
  UNet2dOptions defaults = options_of<UNet2dOptions>(document);
  if (!config.contains("in_channels")) defaults.in_channels = 3;
  if (!config.contains("out_channels")) defaults.out_channels = 3;
  return make_unet2d(defaults, {});
}

}  // namespace

TensorMap read_network_weights(const fs::path& folder, std::string& source) {
  return with_current_names(read_weights(folder, source));
}

std::shared_ptr<DenoisingNetwork> load_network_folder(const fs::path& folder) {
  const auto config = folder / "config.json";
  if (!fs::exists(config))
    throw DataError(fmt::format("{}: expected a config.json in it, found none", folder.string()));
  auto network = make_network(config);
  std::string source;
  const TensorMap tensors = read_network_weights(folder, source);
  load_state(*network, tensors, source);
  network->eval();
  return network;
}

}  // namespace gen
