// Labelled images held in memory: what mnist and cifar10 become once read.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

struct ImageTable {
  DataSpec spec;
  Split split = Split::train;
  std::vector<uint8_t> pixels;           ///< [N, C, H, W]
  std::vector<uint8_t> labels;           ///< [N], each below spec.num_classes
  bool random_flip = false;              ///< mirror left and right with probability 1/2
  std::map<int64_t, std::string> wrong;  ///< records that are no examples, and why
  BadExampleOptions bad_examples;
};

/// Throws DataError with the wrong records where data.on_error is "error": what is known before the training is told
/// before it. Sizes that disagree are a broken invariant.
std::unique_ptr<Dataset> make_in_memory_images(ImageTable table);

}  // namespace gen
