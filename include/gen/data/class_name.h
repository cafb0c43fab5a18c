// The class that a person names.
#pragma once

#include <cstdint>
#include <string>

#include "gen/data/dataset.h"

namespace gen {

/// The number of the class `label`: by its name first. A number is taken for a class's place only where no class is named by
/// a number, for "2" is then the folder or the digit 2, wherever it stands. Throws ConfigError, which `where` begins.
int64_t class_named(const std::string& label, const DataSpec& data, const std::string& where);

}  // namespace gen
