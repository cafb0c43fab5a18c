// Which keys a query sees by position: causal attention and sliding windows, by element and by tile.
#pragma once

#include <cstdint>

#include "gen/ops/flash/host_device.h"

namespace gen::ops::flash {

/// Half-open range of keys or queries.
struct Range {
  int64_t begin = 0, end = 0;
};

/// Row i sees column j when  i + diagonal - left <= j <= i + diagonal + right.  Causal attention is right = 0;
/// `diagonal` is 0 (aligned top left) or Lk - Lq (bottom right).
struct Band {
  static constexpr int64_t kUnlimited = int64_t{1} << 40;

  int64_t diagonal = 0, left = kUnlimited, right = kUnlimited;

  GEN_HOST_DEVICE bool sees(int64_t row, int64_t column) const {
    return column >= row + diagonal - left && column <= row + diagonal + right;
  }
  GEN_HOST_DEVICE bool everything() const { return left >= kUnlimited && right >= kUnlimited; }
  /// The columns of [0, lk) that some row of [rows.begin, rows.end) sees; empty ranges have begin = end.
  GEN_HOST_DEVICE Range columns(Range rows, int64_t lk) const {
    return clip(rows.begin + diagonal - left, rows.end + diagonal + right, lk);
  }
  /// The rows of [0, lq) that see some column of [columns.begin, columns.end).
  GEN_HOST_DEVICE Range rows(Range columns, int64_t lq) const {
    return clip(columns.begin - diagonal - right, columns.end - diagonal + left, lq);
  }
  /// Whether every row of the tile sees every column of it, so that no element needs a test.
  GEN_HOST_DEVICE bool covers(Range rows, Range columns) const {
    return columns.begin >= rows.end - 1 + diagonal - left &&
           columns.end - 1 <= rows.begin + diagonal + right;
  }

 private:
  GEN_HOST_DEVICE static Range clip(int64_t begin, int64_t end, int64_t length) {
    begin = begin < 0 ? 0 : begin;
    end = end > length ? length : end;
    return begin < end ? Range{begin, end} : Range{0, 0};
  }
};

}  // namespace gen::ops::flash
