// Words of a command line as a shell reads them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gen {

/// `word` so that pasted into a POSIX shell it is one word again: as it is where it is plain, else in single quotes; with
/// what printable_line() would escape as $'\033', which bash, zsh and ksh read.
std::string shell_quote(std::string_view word);
/// The same of a path, which is not to be taken for a flag. For every command that a message suggests.
std::string shell_quote_path(const std::filesystem::path& path);

}  // namespace gen
