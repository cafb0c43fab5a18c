// What a file holds that is not of the kind that was expected.
#pragma once

#include <string>
#include <string_view>

namespace gen {

/// "a GIF (convert it to PNG)", "a Git-LFS pointer (...)", "a Python pickle", by the first bytes, of which 64 are enough;
/// `unknown` where they say nothing. For errors.
std::string content_name(std::string_view start, const std::string& unknown);

}  // namespace gen
