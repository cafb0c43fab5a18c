// Words of a command line as a shell reads them.
#pragma once

#include <string>
#include <string_view>

namespace gen {

/// `word` so that pasted into a POSIX shell it is one word again: as it is where it is plain, else in single quotes; with
/// control characters as $'\x1b', which bash, zsh and ksh read.
std::string shell_quote(std::string_view word);

}  // namespace gen
