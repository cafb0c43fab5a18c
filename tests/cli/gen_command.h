// The real binary, as a user runs it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gen/config/json.h"
#include "support/support.h"

namespace gen::test {

/// gen ARGUMENTS...
CommandResult run_gen(const std::vector<std::string>& arguments);
/// The JSON document on stdout of a command that must succeed.
Json json_of(const std::vector<std::string>& arguments);
/// Compares with tests/cli/golden/NAME.txt after `folder` is written as FOLDER. GEN_UPDATE_GOLDEN=1 rewrites
/// the file.
void expect_golden(const std::string& name, std::string text, const std::filesystem::path& folder);

}  // namespace gen::test
