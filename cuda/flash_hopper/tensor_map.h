// How TMA is told of q, k and v: a 4-dimensional tensor (column, row, head, batch) of 16-bit elements, read
// in boxes of 64 columns. The arithmetic is pure; the encoding itself is the driver's (hopper.cu).
#pragma once

#include "flash_hopper/layout.h"
#include "gen/ops/flash/problem.h"

namespace gen::flash_hopper {

struct TensorShape {
  uint64_t sizes[4];          ///< elements: column, row, head, batch
  uint64_t strides_bytes[3];  ///< of row, head, batch
  uint32_t box[4];            ///< elements of one copy
};

GEN_HOST_DEVICE TensorShape tensor_shape(const ops::flash::Strides& strides, int64_t rows, int64_t heads,
                                         int64_t batch, int64_t dim, int box_rows) {
  constexpr uint64_t kAnyStride =
      16;  // a dimension of one element is never stepped along, but 0 is not a stride
  const auto bytes = [](int64_t size, int64_t stride) {
    return size == 1 ? kAnyStride : static_cast<uint64_t>(stride) * 2;
  };
  return {{static_cast<uint64_t>(dim), static_cast<uint64_t>(rows), static_cast<uint64_t>(heads),
           static_cast<uint64_t>(batch)},
          {bytes(rows, strides.row), bytes(heads, strides.head), bytes(batch, strides.batch)},
          {static_cast<uint32_t>(kBlockColumns), static_cast<uint32_t>(box_rows), 1, 1}};
}

/// The limits of cuTensorMapEncodeTiled (CUDA driver API, "Tensor Map Object Management"): address and
/// strides are multiples of 16 bytes, strides below 2^40, a box at most 256 long in each direction; sizes
/// within the 31 bits of a coordinate, with room for one tile more.
GEN_HOST_DEVICE bool can_be_mapped(const void* data, const TensorShape& shape) {
  bool fits = reinterpret_cast<uintptr_t>(data) % 16 == 0;
  for (const uint64_t size : shape.sizes) fits = fits && size >= 1 && size < (uint64_t{1} << 30);
  for (const uint64_t stride : shape.strides_bytes)
    fits = fits && stride > 0 && stride % 16 == 0 && stride < (uint64_t{1} << 40);
  for (const uint32_t length : shape.box) fits = fits && length >= 1 && length <= 256;
  return fits;
}

}  // namespace gen::flash_hopper
