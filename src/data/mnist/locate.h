// Where the IDX files of a data set lie.
#pragma once

#include <filesystem>
#include <string>

namespace gen {

/// "images" and "labels" of one split.
struct IdxPair {
  std::filesystem::path images, labels;
};

/// PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, with the dot that some archives have instead of the dash, with or
/// without .gz: in `folder` or, where they are not, where torchvision (MNIST/raw, FashionMNIST/raw, ...) and the archive of
/// EMNIST (gzip) put them below it. Throws DataError naming what is missing, what lies there instead and what to set;
/// where several data sets lie below, it names each.
IdxPair locate_idx(const std::filesystem::path& folder, const std::string& prefix);

}  // namespace gen
