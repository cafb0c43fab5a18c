// What tells one data set from another of the same kind and size, at the price of a few examples.
#pragma once

#include <string>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

/// A hash each of the first, the last and 16 examples spread evenly between them: values, label and caption; "" for one that
/// cannot be read.
std::vector<std::string> data_fingerprint(const Dataset& data);

/// Whether they may be of the same data: an example that could not be read once (and was repaired) tells nothing.
bool may_be_same(const std::vector<std::string>& a, const std::vector<std::string>& b);

}  // namespace gen
