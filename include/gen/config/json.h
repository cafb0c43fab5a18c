// The JSON value used throughout: nlohmann's, with the order of keys kept.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace gen {
using Json = nlohmann::ordered_json;
}
