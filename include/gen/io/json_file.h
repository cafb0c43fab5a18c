// JSON in files of a run and beside weights. Configs, which may have comments and extend others, are Documents.
#pragma once

#include <filesystem>
#include <string>

#include "gen/config/json.h"

namespace gen {

/// Pretty JSON with a final newline. Never throws: invalid UTF-8 becomes U+FFFD, and numbers that are not finite
/// the strings "nan", "inf", "-inf".
std::string json_text(const Json& value);
/// json_text, written atomically.
void write_json(const std::filesystem::path& path, const Json& value);
/// Throws DataError naming the file where it is not JSON.
Json read_json(const std::filesystem::path& path);

}  // namespace gen
