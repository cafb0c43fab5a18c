// The images below a folder, their classes, and which split each belongs to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

/// Paths of .png, .jpg and .jpeg files (in any case) below `folder` at any depth, relative to it, with
/// forward slashes, sorted bytewise. Names that begin with a dot are passed over. Throws DataError.
std::vector<std::string> scan_images(const std::filesystem::path& folder);

/// The first component of a relative path; empty for a file in the folder itself.
std::string top_folder(const std::string& relative);

/// By a hash of the relative path alone.
Split split_of(const std::string& relative, double validation_fraction, double test_fraction);

}  // namespace gen
