// Strings of options in JSON. Paths are bytes, JSON is UTF-8: what is not is written \xff, so that a folder whose name came
// from a Latin-1 archive is found again by the config that a run keeps.
#pragma once

#include <string>
#include <string_view>

namespace gen {

/// Valid UTF-8 that from_json_string() turns back into `bytes`, whatever these are: each byte that is none becomes \xff, and
/// a backslash that would be read as the start of such an escape becomes \x5c.
std::string to_json_string(std::string_view bytes);
/// Reads \x80 to \xff and \x5c as the byte; all else stays.
std::string from_json_string(std::string_view text);

}  // namespace gen
