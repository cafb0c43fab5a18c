// Texts in other encodings than JSON's.
#pragma once

#include <string>
#include <string_view>

namespace gen {

/// What to say of a text that is UTF-16 or UTF-32, with or without a byte order mark; empty of all else.
std::string encoding_mistake(std::string_view text);

}  // namespace gen
