// How fields, ranges and values are put into words: one wording for errors and for `gen describe`.
#pragma once

#include <string>

#include "gen/config/json.h"
#include "gen/config/options.h"

namespace gen::field_text {

/// "integer", "number", "list of strings", ...
std::string type_name(const Slot& slot);
/// "an integer in [1, 65536]", "one of bernoulli, gaussian", "a list of 2 numbers >= 0".
std::string expected(const Slot& slot, const Limits& limits);
/// Whether there is no default that would do: said so, or a list that may not be empty and is.
bool is_required(const Slot& slot, const Limits& limits);
/// "[1, 65536]", ">= 0", "one of a, b", or "".
std::string range(const Limits& limits);
/// A JSON value, shortened to a line's worth.
std::string shown(const Json& value);
/// The value of a slot as JSON.
Json value(const Slot& slot);

}  // namespace gen::field_text
