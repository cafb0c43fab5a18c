// One example, read and checked.
#pragma once

#include <optional>

#include "gen/data/dataset.h"
#include "gen/data/loader.h"

namespace gen {

/// Throws ExampleError where it cannot be read or a point is not finite.
Example read_example(const Dataset& dataset, int64_t index, HostRng* augmentation);

struct ReadExample {
  Example example;
  int64_t index;
};
/// Example `index`, or as data.on_error and `in_place` say; a function of its arguments alone, with those passed over
/// added to `skipped`. Throws ExampleError.
std::optional<ReadExample> read_readable(const Dataset& dataset, int64_t index,
                                         const std::optional<HostRng>& augmentation, InPlace in_place,
                                         std::vector<BadExample>& skipped);

}  // namespace gen
