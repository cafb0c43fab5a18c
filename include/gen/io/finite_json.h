// Numbers that JSON has no word for.
#pragma once

#include "gen/config/json.h"

namespace gen {

/// The value with every non-finite number as "nan", "inf" or "-inf": JSON has none, and nlohmann would write
/// null.
Json finite_json(Json value);
}  // namespace gen
