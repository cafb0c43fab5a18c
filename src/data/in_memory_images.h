// Labelled images held in memory: what mnist and cifar10 become once read.
#pragma once

#include <vector>

#include "gen/data/dataset.h"

namespace gen {

struct ImageTable {
  DataSpec spec;
  std::vector<uint8_t> pixels;  ///< [N, C, H, W]
  std::vector<uint8_t> labels;  ///< [N], each below spec.num_classes
  bool random_flip = false;     ///< mirror left and right with probability 1/2
};

/// Throws DataError naming `source` where a label is out of range; sizes that disagree are a broken
/// invariant.
std::unique_ptr<Dataset> make_in_memory_images(ImageTable table, const std::string& source);

}  // namespace gen
