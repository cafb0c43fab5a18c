#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/core/error.h"
#include "gen/nn/network.h"
#include "nn/folder_weights.h"
#include "nn/mlp.h"
#include "nn/unet2d/unet2d.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

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

/// The class that diffusers would make: it wrote a list for a while, and some tools write none.
std::string class_name(const Json& config) {
  const Json name = config.value("_class_name", Json());
  if (name.is_string()) return name.get<std::string>();
  if (name.is_array() && !name.empty() && name.back().is_string()) return name.back().get<std::string>();
  const bool like_unet = config.contains("block_out_channels") && config.contains("down_block_types") &&
                         !config.contains("cross_attention_dim");
  return name.is_null() && like_unet ? "UNet2DModel" : "";
}

/// What diffusers reads in other words than it writes today.
void modernise(Json& config) {
  // It writes [H, W] for images that are not square; the weights do not depend on it.
  if (config.contains("sample_size") && config["sample_size"].is_array()) config["sample_size"] = nullptr;
  // get_down_block and get_up_block drop the prefix that blocks had before its version 0.2.
  constexpr std::string_view kOld = "UNetRes";
  for (const char* key : {"down_block_types", "up_block_types"})
    if (config.contains(key) && config[key].is_array())
      for (auto& type : config[key])
        if (type.is_string() && type.get<std::string>().starts_with(kOld))
          type = type.get<std::string>().substr(kOld.size());
  // The table is made only where no class_embed_type says how labels are embedded.
  if (config.contains("class_embed_type") && config["class_embed_type"].is_string())
    config["num_class_embeds"] = nullptr;
}

template <class Options>
Options options_of(const Document& document) {
  Issues issues;
  Options options;
  load(document, options, issues, "", {.of_another_program = true});
  issues.throw_if_any();
  return options;
}

[[noreturn]] void unknown_class(const fs::path& path, const Json& config) {
  const auto got = [&]() -> std::string {
    for (const char* key : {"_class_name", "model_type"})
      if (config.contains(key)) return fmt::format("{} ({})", config[key].dump(), key);
    return "none";
  };
  throw DataError(
      fmt::format("{}: /_class_name: expected \"UNet2DModel\" or \"Mlp\", got {}{}", path.string(), got(),
                  config.contains("model") ? "; this is a config of gen: gen train --config takes it" : ""));
}

std::shared_ptr<DenoisingNetwork> make_network(const fs::path& path) {
  Issues issues;
  Document document = Document::read(path, issues);
  issues.throw_if_any();
  Json& config = document.root();
  const std::string name = class_name(config);
  if (name == "Mlp") return make_mlp(options_of<MlpOptions>(document), {});
  if (name != "UNet2DModel") unknown_class(path, config);
  modernise(config);
  UNet2dOptions options = options_of<UNet2dOptions>(document);
  if (!config.contains("in_channels")) options.in_channels = 3;
  if (!config.contains("out_channels")) options.out_channels = 3;
  try {
    return make_unet2d(options, {});
  } catch (const OptionError& error) {
    auto mistakes = error.mistakes();
    for (auto& mistake : mistakes) mistake.pointer = document.where(mistake.pointer);
    throw OptionError(std::move(mistakes));
  }
}

}  // namespace

TensorMap read_network_weights(const fs::path& folder, std::string& source) {
  return with_current_names(read_folder_weights(folder, source));
}

std::shared_ptr<DenoisingNetwork> load_network_folder(const fs::path& folder) {
  const auto config = folder / "config.json";
  if (!fs::is_directory(folder))
    throw DataError(fmt::format("{}: expected a folder with config.json and safetensors, got {}",
                                folder.string(), fs::exists(folder) ? "a file" : "nothing there"));
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
