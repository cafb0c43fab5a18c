// Where elements lie in shared memory and registers for the sm_80 kernels.
#include "flash/fragment.h"

#include <gtest/gtest.h>

#include <set>

#include "flash/tile.h"

namespace gen::flash {
namespace {

template <int Columns>
void expect_conflict_free_and_one_to_one() {
  const SharedTile<Columns> tile{2048};
  std::set<uint32_t> places;
  for (int row = 0; row < 64; ++row)
    for (int chunk = 0; chunk < Columns / kChunk; ++chunk) {
      const uint32_t at = tile.chunk(row, chunk);
      EXPECT_EQ(at % 16, 0U);
      EXPECT_TRUE(at >= tile.base && at < tile.base + SharedTile<Columns>::bytes(64));
      places.insert(at);
    }
  EXPECT_EQ(places.size(), size_t{64} * (Columns / kChunk)) << Columns;
  for (int first = 0; first < 64; first += 8)
    for (int chunk = 0; chunk < Columns / kChunk; ++chunk) {
      std::set<uint32_t> banks;
      for (int row = 0; row < 8; ++row) banks.insert(tile.chunk(first + row, chunk) / 16 % 8);
      EXPECT_EQ(banks.size(), 8U) << "rows " << first << ".. of chunk " << chunk << " of " << Columns
                                  << " columns";
    }
}

TEST(FlashFragment, EightRowsOfAChunkLieInDifferentBanks) {
  expect_conflict_free_and_one_to_one<16>();
  expect_conflict_free_and_one_to_one<32>();
  expect_conflict_free_and_one_to_one<48>();
  expect_conflict_free_and_one_to_one<64>();
  expect_conflict_free_and_one_to_one<80>();
  expect_conflict_free_and_one_to_one<96>();
  expect_conflict_free_and_one_to_one<128>();
  expect_conflict_free_and_one_to_one<160>();
  expect_conflict_free_and_one_to_one<256>();
}

template <int Columns>
void expect_cursor_follows() {
  const SharedTile<Columns> tile{1024};
  for (int row = 0; row < 16; ++row)
    for (int half : {0, 1}) {
      const auto cursor = tile.cursor(row, half);
      for (int rows : {0, 16, 48})
        for (int chunk = 0; chunk + 1 < Columns / kChunk; chunk += 2)
          EXPECT_EQ(cursor(rows, chunk), tile.chunk(row + rows, chunk + half))
              << Columns << " " << row << " " << chunk;
    }
}

TEST(FlashFragment, ACursorFindsWhatRowAndChunkName) {
  expect_cursor_follows<32>();
  expect_cursor_follows<48>();
  expect_cursor_follows<80>();
  expect_cursor_follows<160>();
  expect_cursor_follows<256>();
}

TEST(FlashFragment, AnAccumulatorHoldsEachElementOnce) {
  std::set<std::pair<int, int>> elements;
  for (int lane = 0; lane < kLanes; ++lane)
    for (int r = 0; r < 32; ++r) elements.insert({accumulator_row(lane, r), accumulator_column(lane, r)});
  EXPECT_EQ(elements.size(), size_t{16} * 64);
  EXPECT_EQ(elements.rbegin()->first, 15);
}

}  // namespace
}  // namespace gen::flash
