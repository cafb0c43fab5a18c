// A checkpoint's folder as a thing to remove or to rename.
#pragma once

#include <filesystem>

namespace gen {

/// Renames `folder` to the first free of "NAME.set-aside", "NAME.set-aside-2", ... of `place`, and warns. Throws nothing: a
/// disk that refuses leaves it where it is.
void set_aside(const std::filesystem::path& folder, const std::filesystem::path& place);

}  // namespace gen
