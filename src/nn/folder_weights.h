// The weights in a folder as diffusers saves them.
#pragma once

#include <filesystem>
#include <string>

#include "gen/io/tensor_map.h"

namespace gen {

/// diffusion_pytorch_model.safetensors, its shards by their index, or a variant of either (.fp16). `source` becomes the file
/// that names them. Throws DataError saying what is there instead and what to do.
TensorMap read_folder_weights(const std::filesystem::path& folder, std::string& source);

}  // namespace gen
