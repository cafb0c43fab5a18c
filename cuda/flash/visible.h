// Which keys a row of queries sees, in the 32-bit numbers of a kernel. Pure functions, run by the CPU's tests.
#pragma once

#include "gen/ops/flash/mask.h"

namespace gen::flash {

using ops::flash::Band;
using ops::flash::Range;

/// The key tiles [begin, end) that some of the rows sees; they are visited from the last to the first, so
/// that the ones that need masks at the diagonal and the tail come first.
struct KeyTiles {
  int begin = 0, end = 0;
  GEN_HOST_DEVICE bool empty() const { return begin >= end; }
};
GEN_HOST_DEVICE KeyTiles key_tiles(const Band& band, Range rows, int64_t lk, int keys_per_tile) {
  const Range columns = band.columns(rows, lk);
  return {static_cast<int>(columns.begin / keys_per_tile),
          static_cast<int>((columns.end + keys_per_tile - 1) / keys_per_tile)};
}

/// A band in 32-bit numbers: row i sees the columns [i + low, i + high] of [0, lk).
struct NarrowBand {
  int low, high, lk;
};
/// The same band for rows below lq; lq and lk below 2^30.
GEN_HOST_DEVICE NarrowBand narrow(const Band& band, int64_t lq, int64_t lk) {
  const int64_t low = band.diagonal - band.left, high = band.diagonal + band.right;
  const auto clamp = [](int64_t x, int64_t least, int64_t most) {
    return static_cast<int>(x < least ? least : x > most ? most : x);
  };
  return {clamp(low, -lq, lk), clamp(high, -lq, lk), static_cast<int>(lk)};
}

/// The columns [first, last] that a row sees: an element's test is two comparisons.
struct Visible {
  int first, last;
};
GEN_HOST_DEVICE Visible visible(const NarrowBand& band, int row) {
  const int first = row + band.low, last = row + band.high;
  return {first < 0 ? 0 : first, last < band.lk - 1 ? last : band.lk - 1};
}
/// The columns that all rows of [begin, end) see: a tile within them needs no mask.
GEN_HOST_DEVICE Visible visible_to_all(const NarrowBand& band, int begin, int end) {
  return {visible(band, end - 1).first, visible(band, begin).last};
}

GEN_HOST_DEVICE bool all_visible(const Visible& to_all, int first, int count) {
  return first >= to_all.first && first + count - 1 <= to_all.last;
}

}  // namespace gen::flash
