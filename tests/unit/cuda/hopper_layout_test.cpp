#include <gtest/gtest.h>

#include <set>

#include "flash_hopper/tensor_map.h"
#include "flash_hopper/tile.h"

namespace gen::flash_hopper {
namespace {

// CuTe's Swizzle<3, 4, 3>, which the PTX ISA names for the 128-byte mode: bits 4..6 xor bits 7..9.
TEST(HopperLayout, SwizzleXorsTheChunkWithTheRow) {
  EXPECT_EQ(swizzle_128b(0), 0U);
  EXPECT_EQ(swizzle_128b(128), 128U + 16);
  EXPECT_EQ(swizzle_128b(7 * 128 + 16 * 7 + 5), 7U * 128 + 5);
  EXPECT_EQ(swizzle_128b(8 * 128 + 32), 8U * 128 + 32);
}

TEST(HopperLayout, TileOffsetsAreAPermutation) {
  std::set<uint32_t> seen;
  for (int row = 0; row < 80; ++row)
    for (int column = 0; column < 256; ++column) seen.insert(tile_offset(row, column, 80));
  EXPECT_EQ(seen.size(), 80U * 256);
  EXPECT_EQ(*seen.rbegin(), 80U * 256 * 2 - 2);
}

TEST(HopperLayout, EightRowsOfAColumnLieInDifferentBanks) {
  for (int column = 0; column < 64; column += 8) {
    std::set<uint32_t> banks;
    for (int row = 0; row < 8; ++row) banks.insert(tile_offset(row, column, 64) / 16 % 8);
    EXPECT_EQ(banks.size(), 8U) << "column " << column;
  }
}

// The bits of DeepGEMM's and ThunderKittens' K-major descriptors: address, 1, 64, mode 1 in the top.
TEST(HopperLayout, DescriptorFieldsLieWhereThePtxIsaPutsThem) {
  EXPECT_EQ(k_major(0x12340), 0x1234ULL | 1ULL << 16 | 64ULL << 32 | 1ULL << 62);
  EXPECT_EQ(mn_major(0x400, 128), 0x40ULL | 1024ULL << 16 | 64ULL << 32 | 1ULL << 62);
}

TEST(HopperLayout, AnAdvancedDescriptorMovesItsAddressAlone) {
  constexpr uint32_t kLast = 227 * 1024 - 16;
  const uint64_t moved = advance(k_major(0x400), kLast - 0x400);
  EXPECT_EQ(moved & 0x3FFF, kLast >> 4);
  EXPECT_EQ(moved >> 16, k_major(0x400) >> 16);
}

TEST(HopperLayout, StepsOfTheHeadDimensionCrossBlocks) {
  EXPECT_EQ(k_major_step(3, 128), 96U);
  EXPECT_EQ(k_major_step(4, 128), 128U * 128);
  EXPECT_EQ(k_major_step(5, 80), 80U * 128 + 32);
}

TEST(HopperLayout, AccumulatorsCoverTheTileOnce) {
  std::set<std::pair<int, int>> seen;
  for (int thread = 0; thread < 128; ++thread)
    for (int r = 0; r < 64; ++r) seen.emplace(accumulator_row(thread, r), accumulator_column(thread, r));
  EXPECT_EQ(seen.size(), 64U * 128);
  EXPECT_EQ(seen.rbegin()->first, 63);
}

TEST(HopperLayout, AThreadHoldsTwoRowsEightApart) {
  for (int thread = 0; thread < 128; ++thread)
    for (int r = 0; r < 64; ++r)
      EXPECT_EQ(accumulator_row(thread, r), accumulator_row(thread, 0) + 8 * accumulator_half(r));
}

TEST(HopperLayout, ButterflyGivesEachLaneItsGroup) {
  uint32_t word[4][4];
  for (uint32_t lane = 0; lane < 4; ++lane)
    for (uint32_t w = 0; w < 4; ++w) word[lane][w] = 10 * w + lane;  // group w, pair `lane`
  for (int bit = 1; bit <= 2; bit <<= 1)
    for (int index = 0; index < 4; ++index) {
      if ((index & bit) != 0) continue;
      uint32_t sent[4];
      for (int lane = 0; lane < 4; ++lane) sent[lane] = butterfly_send(word[lane], lane, bit, index);
      for (int lane = 0; lane < 4; ++lane) butterfly_receive(word[lane], lane, bit, index, sent[lane ^ bit]);
    }
  for (uint32_t lane = 0; lane < 4; ++lane)
    for (uint32_t w = 0; w < 4; ++w) EXPECT_EQ(word[lane][w], 10 * lane + w);
}

TEST(HopperTensorMap, DescribesStridesInBytesAndBoxesOf64Columns) {
  const TensorShape shape = tensor_shape({.batch = 4096, .head = 64, .row = 512}, 100, 8, 2, 64, 192);
  EXPECT_EQ(shape.sizes[1], 100U);
  EXPECT_EQ(shape.strides_bytes[0], 1024U);
  EXPECT_EQ(shape.strides_bytes[1], 128U);
  EXPECT_EQ(shape.strides_bytes[2], 8192U);
  EXPECT_EQ(shape.box[0], 64U);
  EXPECT_EQ(shape.box[1], 192U);
  alignas(16) const char data[16] = {};
  EXPECT_TRUE(can_be_mapped(data, shape));
  EXPECT_FALSE(can_be_mapped(data + 2, shape)) << "address not a multiple of 16";
}

TEST(HopperTensorMap, RefusesStridesThatTmaCannotFollow) {
  alignas(16) const char data[16] = {};
  EXPECT_FALSE(can_be_mapped(data, tensor_shape({.batch = 0, .head = 64, .row = 64}, 8, 2, 2, 64, 64)))
      << "expanded";
  EXPECT_FALSE(can_be_mapped(data, tensor_shape({.batch = 512, .head = 64, .row = 67}, 8, 1, 1, 64, 64)));
  EXPECT_FALSE(can_be_mapped(data, tensor_shape({.batch = 512, .head = 64, .row = -64}, 8, 1, 1, 64, 64)));
  EXPECT_FALSE(can_be_mapped(data, tensor_shape({.batch = 512, .head = 64, .row = 64}, 0, 1, 1, 64, 64)));
  EXPECT_TRUE(can_be_mapped(data, tensor_shape({.batch = 0, .head = 0, .row = 64}, 8, 1, 1, 64, 64)))
      << "the stride of a dimension of one element does not matter";
}

}  // namespace
}  // namespace gen::flash_hopper
