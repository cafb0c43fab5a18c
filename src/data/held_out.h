// Which of the training examples a split takes, where validation (or test) examples are held out of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

/// 0, 1, ..., total - 1.
std::vector<int64_t> all_rows(int64_t total);

/// The rows of `split` among `total` training examples, rising. Those held out are a fixed random choice, as files are often
/// ordered (by class, by writer); holding out more validation examples keeps the ones there are. Throws ConfigError, naming
/// `data`, where no example would be left to train on.
std::vector<int64_t> held_out_rows(Split split, int64_t total, int64_t validation, int64_t test,
                                   const std::string& data);

}  // namespace gen
