// "~" where no shell expands it.
#pragma once

#include <string>

namespace gen {

/// `path` with a leading "~" or "~/" replaced by $HOME, as a shell does with a word that begins so but not within
/// --set data.path=~/x, nor in a config. All else, "~name" among it, stays as it is.
std::string expand_home(const std::string& path);

}  // namespace gen
