// The run that a person names, or what the path is instead.
#pragma once

#include <filesystem>
#include <string>

#include "gen/io/run_dir.h"

namespace gen::cli {

/// Opens the run at `path` to read it. Throws ConfigError where it is something else that gen knows (a checkpoint of a run, a
/// part or a file of one, a folder of runs, a config, weights, a folder or a pipeline of diffusers, a model of transformers)
/// with the command to type instead; `command` is the one given, up to the path: "gen sample --run".
RunDir open_run(const std::filesystem::path& path, const std::string& command);

}  // namespace gen::cli
