// Which of the training examples a split takes, where validation (or test) examples are held out from their
// end.
#pragma once

#include <cstdint>
#include <string>

#include "gen/data/dataset.h"

namespace gen {

struct RowRange {
  int64_t first = 0, count = 0;
};

/// The rows of `split` among `total` training examples laid out as train | validation | test. Throws
/// ConfigError, naming `data`, where no example would be left to train on.
RowRange held_out_rows(Split split, int64_t total, int64_t validation, int64_t test, const std::string& data);

}  // namespace gen
