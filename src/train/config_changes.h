// What differs between two resolved configs, and the command that begins a new run with the difference.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gen/config/json.h"

namespace gen {

/// JSON pointers at which two resolved configs differ.
std::vector<std::string> differing_options(const Json& before, const Json& now);
/// Those of them that would make it another model or another training: not how long it trains, what it logs, keeps and
/// draws, how many threads it uses, and where the data lie.
std::vector<std::string> conflicting_options(const Json& before, const Json& now);
/// "\n  /train/batch_size: the run has 4, WHAT 5" a pointer; empty for none.
std::string difference_lines(const std::vector<std::string>& pointers, const Json& before, const Json& now,
                             const std::string& what);
/// A command, ready to be pasted, that trains a new run with the config `now` from the weights of `run`, whose own config
/// is `before`.
std::string warm_start_command(const std::filesystem::path& run, const Json& before, const Json& now);

}  // namespace gen
