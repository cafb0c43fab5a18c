// The safetensors format: 8-byte little-endian header length, JSON header, raw little-endian tensors.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gen/io/tensor_map.h"

namespace gen {

/// A file's table of contents.
struct SafetensorsEntry {
  std::string name, dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  ///< bytes after the header
};
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< sorted by begin
  Metadata metadata;
  uint64_t data_offset = 0;
};

/// Reads and checks the header only: sizes, dtypes, offsets that cover the buffer exactly without overlap, no
/// duplicate names. Throws DataError naming the file, the tensor and what is wrong.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);
/// Every tensor, on the CPU, each with storage of its own.
TensorMap read_safetensors(const std::filesystem::path& path, Metadata* metadata = nullptr);
/// Writes tensors (any device, any strides) so that `path` is either the old file or the whole new one; names sorted
/// by dtype size then name as the reference library does. Throws IoError, leaving nothing behind.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const Metadata& metadata = {});

}  // namespace gen
