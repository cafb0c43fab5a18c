// What tells one data set from another of the same size, at the price of a few examples.
#pragma once

#include <string>

#include "gen/data/dataset.h"

namespace gen {

/// Hash of the spec, the size and some examples (the first, the last and 16 spread evenly): their
/// values, labels and captions. An example that cannot be read counts as one that cannot.
std::string data_fingerprint(const Dataset& data);

}  // namespace gen
