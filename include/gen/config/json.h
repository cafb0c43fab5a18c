// The JSON value used throughout: nlohmann's, with the order of keys kept.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gen {
using Json = nlohmann::ordered_json;

/// "at line 2, column 1: ..." of what nlohmann's parser says of a text that is not JSON, on one printable line.
std::string json_error_text(std::string what);
/// A key as a part of a JSON pointer (RFC 6901).
std::string json_pointer_key(const std::string& key);
}  // namespace gen
