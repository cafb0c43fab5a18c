// What the data of a test are: images or points.
#pragma once

#include "gen/data/dataset.h"

namespace gen::test {

/// Square images of 256 levels, [channels, size, size].
inline DataSpec images(int64_t channels, int64_t size, int64_t num_classes = 0) {
  DataSpec data;
  data.shape = {channels, size, size};
  data.num_classes = num_classes;
  return data;
}

/// Continuous points, [dims].
inline DataSpec points(int64_t dims, int64_t num_classes = 0) {
  DataSpec data;
  data.kind = DataKind::points;
  data.shape = {dims};
  data.levels = 0;
  data.num_classes = num_classes;
  return data;
}

}  // namespace gen::test
