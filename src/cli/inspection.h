// What gen can tell of a path.
#pragma once

#include <filesystem>
#include <string>

#include "gen/config/json.h"

namespace gen::cli {

/// {"kind": "run" | "checkpoint" | "network folder" | "safetensors" | "image" | "config" | "json", ...} of a
/// path, recognised by its content. Throws ConfigError where there is no such path or gen knows nothing of
/// it, DataError where it is torn. `checkpoint`, where given, is one of the run's: best, last or a step.
Json inspect(const std::filesystem::path& path, const std::string& checkpoint = {});
/// The same for people: a line a fact, tensors as a table.
std::string as_text(const Json& findings);

}  // namespace gen::cli
