// The files below a folder: its images, and what is passed over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

/// What lies below a folder of images. Names that begin with a dot are not looked at.
struct ScannedFolder {
  /// .png, .jpg and .jpeg files (in any case) at any depth, relative to the folder, with forward slashes, sorted bytewise.
  std::vector<std::string> images;
  std::map<std::string, int64_t>
      passed_over;  ///< how many other files there are by their ending in lower case (".webp", "")
  std::map<std::string, std::string> example;  ///< the first of each by name
  std::vector<std::string>
      without_image;  ///< sub-folders of the folder that hold files, but no image at any depth
};

/// Throws DataError where the folder cannot be listed or holds no images.
ScannedFolder scan_folder(const std::filesystem::path& folder);

/// "30 files were passed over, as they are no .png, .jpg or .jpeg: 10 .bmp, 10 .gif, 10 .webp (e.g. w0.webp)", and which
/// sub-folders hold nothing else; empty where there are none.
std::string passed_over_text(const ScannedFolder& scanned);
/// Whether some of them are pictures in another format, which were probably meant to be read.
bool passed_over_pictures(const ScannedFolder& scanned);

/// By a hash of the relative path alone.
Split split_of(const std::string& relative, double validation_fraction, double test_fraction);

}  // namespace gen
