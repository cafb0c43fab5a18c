// Where elements lie for Hopper's tensor cores: shared memory as TMA swizzles it, the descriptors by which
// wgmma reads it, and the registers of a warpgroup. Pure index arithmetic, run by the CPU's tests. Names
// follow the PTX ISA 8.0, "Asynchronous Warpgroup Level Matrix Instructions".
#pragma once

#include <cstdint>

#include "flash/fragment.h"

namespace gen::flash_hopper {

using namespace flash;

constexpr int kSwizzleBytes = 128;             // one row of a swizzle atom
constexpr int kBlockColumns = 64;              // 16-bit elements in such a row
constexpr int kAtomBytes = 8 * kSwizzleBytes;  // 8 rows; tiles begin at multiples of it
constexpr int kWarpgroupRows = 64;             // m of wgmma
constexpr int kStepK = 16;                     // k of wgmma for 16-bit elements

/// SWIZZLE_128B, of TMA and wgmma alike: bits 4..6 of the address (which 16-byte chunk) xor bits 7..9 (which
/// row of 8).
GEN_HOST_DEVICE constexpr uint32_t swizzle_128b(uint32_t address) {
  return address ^ ((address >> 3) & 0x70U);
}

/// Byte offset of an element in a tile of `rows` rows of 16-bit elements: blocks of 64 columns one after
/// another, each as one TMA box of 64 columns by `rows` rows lays it.
GEN_HOST_DEVICE constexpr uint32_t tile_offset(int row, int column, int rows) {
  return static_cast<uint32_t>(column / kBlockColumns) * static_cast<uint32_t>(rows * kSwizzleBytes) +
         swizzle_128b(static_cast<uint32_t>(row * kSwizzleBytes + (column % kBlockColumns) * 2));
}

/// A wgmma operand in shared memory under SWIZZLE_128B (PTX ISA, "Matrix Descriptor Format"): start address
/// >> 4 in bits 0..13, leading byte offset >> 4 in 16..29, stride byte offset >> 4 in 32..45, swizzle mode 1
/// in 62..63. Tiles begin at multiples of kAtomBytes, so the base offset (bits 49..51) is 0.
GEN_HOST_DEVICE constexpr uint64_t descriptor(uint32_t address, uint32_t leading_bytes,
                                              uint32_t stride_bytes) {
  return static_cast<uint64_t>((address & 0x3FFFFU) >> 4) |
         static_cast<uint64_t>((leading_bytes & 0x3FFFFU) >> 4) << 16 |
         static_cast<uint64_t>((stride_bytes & 0x3FFFFU) >> 4) << 32 | uint64_t{1} << 62;
}

/// Q (as A) and K (as B): K-major, the head dimension along rows. Groups of 8 rows follow at kAtomBytes; the
/// leading offset is not used under a swizzle (1 by convention).
GEN_HOST_DEVICE constexpr uint64_t k_major(uint32_t address) { return descriptor(address, 16, kAtomBytes); }
/// Bytes from a K-major tile's begin to its columns [16 step, 16 step + 16): 32 within a block's row, whose
/// swizzle the hardware derives from the address, then on to the next block.
GEN_HOST_DEVICE constexpr uint32_t k_major_step(int step, int rows) {
  constexpr int kStepsPerBlock = kBlockColumns / kStepK;
  return static_cast<uint32_t>(step / kStepsPerBlock * rows * kSwizzleBytes +
                               step % kStepsPerBlock * kStepK * 2);
}

/// V (as B, N = head dimension, K = keys): MN-major as it lies, without a transpose. Blocks of 64 columns
/// follow at the leading offset, groups of 8 keys at the stride offset.
GEN_HOST_DEVICE constexpr uint64_t mn_major(uint32_t address, int rows) {
  return descriptor(address, static_cast<uint32_t>(rows * kSwizzleBytes), kAtomBytes);
}
/// Bytes to the keys [16 step, 16 step + 16) of an MN-major tile.
GEN_HOST_DEVICE constexpr uint32_t mn_major_step(int step) {
  return static_cast<uint32_t>(step * kStepK * kSwizzleBytes);
}
/// Bytes to the columns from 64 `block` on.
GEN_HOST_DEVICE constexpr uint32_t mn_major_block(int block, int rows) {
  return static_cast<uint32_t>(block * rows * kSwizzleBytes);
}

/// A descriptor moved on by `bytes`, a multiple of 16 that stays within shared memory (its 18 bits of
/// address).
GEN_HOST_DEVICE constexpr uint64_t advance(uint64_t descriptor, uint32_t bytes) {
  return descriptor + (bytes >> 4);
}

/// A transpose among the four lanes of a row, so that each writes 16 contiguous bytes: lane t begins with
/// word w = its pair of columns of group w and ends with word w = lane w's pair of group t. For bit 1, then
/// 2, and each index without that bit, lanes t and t ^ bit exchange what `butterfly_send` names.
GEN_HOST_DEVICE uint32_t butterfly_send(const uint32_t (&word)[4], int lane, int bit, int index) {
  return (lane & bit) != 0 ? word[index] : word[index | bit];
}
GEN_HOST_DEVICE void butterfly_receive(uint32_t (&word)[4], int lane, int bit, int index, uint32_t value) {
  if ((lane & bit) != 0)
    word[index] = value;
  else
    word[index | bit] = value;
}

}  // namespace gen::flash_hopper
