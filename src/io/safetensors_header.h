// The JSON header of a safetensors file, parsed without building a tree: a hostile header costs no more
// memory than its own size.
#pragma once

#include <string>

#include "gen/io/safetensors.h"

namespace gen::safetensors {

/// Parses and checks the header text of a file with `data_bytes` bytes after the header. `name` is the file,
/// for errors. data_offset is left 0. Throws DataError.
SafetensorsHeader parse_header(const std::string& text, uint64_t data_bytes, const std::string& name);

}  // namespace gen::safetensors
