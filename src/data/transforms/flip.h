// Mirroring left and right.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gen {

/// Reverses each of `rows` rows of `width` values, in place.
inline void flip_rows(uint8_t* values, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; ++row) std::reverse(values + row * width, values + (row + 1) * width);
}

}  // namespace gen
