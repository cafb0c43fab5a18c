// What the operating system refused, in words.
#pragma once

#include <string>

namespace gen {

/// The reason that an errno stands for, and what to do about it where that can be told: "No space left on device
/// (free some space and run the same command again)".
std::string os_error_text(int code);

}  // namespace gen
