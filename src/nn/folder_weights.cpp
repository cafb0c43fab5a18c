#include "nn/folder_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "gen/core/quote.h"
#include "gen/core/text.h"
#include "gen/io/json_file.h"
#include "gen/io/safetensors.h"

namespace gen {
namespace {

namespace fs = std::filesystem;
constexpr const char* kStem = "diffusion_pytorch_model";
constexpr const char* kSafetensors = ".safetensors";
constexpr const char* kIndex = ".safetensors.index.json";

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

std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// "fp16" of diffusion_pytorch_model.fp16.safetensors and of diffusion_pytorch_model.safetensors.index.fp16.json (which
// diffusers wrote as .index.fp16.json or as .fp16.safetensors.index.json).
std::optional<std::string> variant_of(std::string name) {
  if (!name.starts_with(kStem)) return std::nullopt;
  name.erase(0, std::string_view(kStem).size());
  for (const auto& [begin, end] : {std::pair<std::string_view, std::string_view>{".", kSafetensors},
                                   {".", kIndex},
                                   {".safetensors.index.", ".json"}}) {
    if (!name.starts_with(begin) || !name.ends_with(end) || name.size() <= begin.size() + end.size())
      continue;
    std::string variant = name.substr(begin.size(), name.size() - begin.size() - end.size());
    if (variant.find('.') == std::string::npos && variant.find("-of-") == std::string::npos) return variant;
  }
  return std::nullopt;
}

// The variant to take where there are no weights without one: of other precision rather than of other weights.
std::optional<fs::path> chosen_variant(const fs::path& folder) {
  std::map<std::string, std::string> files;  // by variant
  for (const auto& name : file_names(folder))
    if (auto variant = variant_of(name)) files.emplace(*variant, name);
  for (const char* precision : {"fp32", "bf16", "fp16"})
    if (files.contains(precision)) return folder / files.at(precision);
  if (files.size() > 1) {
    std::vector<std::string> names;
    for (const auto& [variant, name] : files) names.push_back(name);
    throw DataError(
        fmt::format("{}: several variants of the weights; rename or copy the one to use to {}{}: {}",
                    folder.string(), kStem, kSafetensors, fmt::join(names, ", ")));
  }
  return files.empty() ? std::nullopt : std::optional(folder / files.begin()->second);
}

std::string found_instead(const fs::path& folder) {
  for (const auto& name : file_names(folder)) {
    const fs::path path = folder / name;
    const auto ending = path.extension();
    const bool pickle = ending == ".bin" || ending == ".pt" || ending == ".pth" || ending == ".ckpt";
    if (pickle)
      return fmt::format(
          "; {0} is a pickle, which gen does not read (it may run any program): convert it, say with\n"
          "    cd {1} && python3 -c \"import torch, safetensors.torch as s; s.save_file({{k: v.contiguous() "
          "for k, v in "
          "torch.load('{0}', map_location='cpu', weights_only=True).items()}}, '{2}{3}')\"",
          name, shell_quote(folder.string()), kStem, kSafetensors);
    if (ending == ".msgpack" || ending == ".h5" || ending == ".onnx")
      return fmt::format("; {} is of another framework: save the model from PyTorch as safetensors", name);
  }
  std::vector<std::string> others;
  for (const auto& name : file_names(folder))
    if (name.ends_with(kSafetensors)) others.push_back(name);
  if (others.empty()) return {};
  return fmt::format("; of another name: {} (rename it, if that holds the weights)", fmt::join(others, ", "));
}

}  // namespace

TensorMap read_folder_weights(const fs::path& folder, std::string& source) {
  const auto single = folder / (std::string(kStem) + kSafetensors),
             index = folder / (std::string(kStem) + kIndex);
  std::optional<fs::path> file;
  if (fs::exists(single))
    file = single;
  else if (fs::exists(index))
    file = index;
  else if ((file = chosen_variant(folder)))
    log::info("{}: taken, as there are no weights of the plain name", file->string());
  if (!file)
    throw DataError(fmt::format("{}: expected {}{} or its shards with {}{}, found neither{}", folder.string(),
                                kStem, kSafetensors, kStem, kIndex, found_instead(folder)));
  source = file->string();
  return file->extension() == ".json" ? read_shards(*file) : read_safetensors(*file);
}

}  // namespace gen
