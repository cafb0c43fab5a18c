// Whether a folder may be what a command takes it for, told before anything is done there.
#pragma once

#include <filesystem>
#include <string>

#include "gen/io/run_dir.h"

namespace gen {

/// Of a folder without config.json that --resume, sample or eval was given: " (what to do)", or "".
std::string what_is_missing(const std::filesystem::path& folder);
/// Throws ConfigError where a run cannot begin in `folder`: it holds a run, or what --overwrite may not remove.
void check_begins_in(const std::filesystem::path& folder, RunMode mode);
/// Throws IoError naming a file of the run that is a link, or no file (a pipe would be waited for); warns of linked checkpoints.
void check_links(const std::filesystem::path& folder);

}  // namespace gen
