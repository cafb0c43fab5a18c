#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <vector>

#include "flash_hopper/schedule.h"

namespace gen::flash_hopper {
namespace {

using ops::flash::Problem;

Problem causal(int64_t batch, int64_t heads, int64_t kv_heads, int64_t length) {
  Problem p;
  p.batch = batch, p.heads = heads, p.kv_heads = kv_heads, p.lq = p.lk = length, p.dim = 128, p.right = 0;
  return p;
}

TEST(HopperSchedule, EveryTileIsTakenByExactlyOneBlock) {
  for (const int blocks : {1, 2, 7, 132})
    for (const Schedule& s : {Schedule{5, 3, 2, 2, true}, Schedule{1, 1, 1, 1, false},
                              Schedule{13, 8, 4, 5, false}, Schedule{40, 16, 2, 32, true}}) {
      std::set<std::tuple<int, int, int>> seen;
      int64_t taken = 0;
      for (int block = 0; block < blocks; ++block)
        for (int round = 0; s.index(block, blocks, round) >= 0; ++round, ++taken) {
          const Work work = s.work(s.index(block, blocks, round));
          EXPECT_TRUE(work.row_tile >= 0 && work.row_tile < s.row_tiles && work.head < s.heads &&
                      work.batch < s.batches);
          seen.emplace(work.row_tile, work.head, work.batch);
        }
      EXPECT_EQ(taken, s.size());
      EXPECT_EQ(static_cast<int64_t>(seen.size()), s.size());
    }
}

TEST(HopperSchedule, CausalProblemsBeginWithTheirLastRows) {
  const Schedule s = make_schedule(causal(1, 4, 4, 1024), 128);
  EXPECT_EQ(s.work(0).row_tile, 7);
  EXPECT_EQ(s.work(s.size() - 1).row_tile, 0);
  Problem full = causal(1, 4, 4, 1024);
  full.right = Band::kUnlimited;
  EXPECT_EQ(make_schedule(full, 128).work(0).row_tile, 0);
}

TEST(HopperSchedule, ABandThatHidesNothingIsNoMask) {
  Problem p = causal(1, 1, 1, 64);
  EXPECT_TRUE(hides_keys(p));
  p.lq = 1;
  EXPECT_FALSE(hides_keys(p)) << "the last row of a bottom-right causal problem sees every key";
  p.bottom_right = false;
  EXPECT_TRUE(hides_keys(p));
}

TEST(HopperSchedule, SectionsHoldWholeGroupsWithinTheCache) {
  EXPECT_EQ(section_size(1 << 20, 32 << 20, 4, 1000), 128);
  EXPECT_EQ(section_size(64 << 20, 32 << 20, 4, 1000), 4) << "at least one key head";
  EXPECT_EQ(section_size(1, 32 << 20, 1, 6), 6) << "never more than there are";
}

// Key tiles of all blocks: the longest block decides. A perfect division would give the mean.
TEST(HopperSchedule, CausalWorkIsDividedEvenly) {
  constexpr int kBlocks = 132;  // of an H100
  for (const int64_t length : {1024, 2048, 4096, 8192, 16384}) {
    const Problem p = causal(16384 / length, 16, 16, length);
    const Schedule s = make_schedule(p, 128);
    std::vector<int64_t> work(kBlocks, 0);
    for (int block = 0; block < kBlocks; ++block)
      for (int round = 0; s.index(block, kBlocks, round) >= 0; ++round) {
        const int64_t begin = int64_t{s.work(s.index(block, kBlocks, round)).row_tile} * 128;
        const KeyTiles tiles = key_tiles(p.band(p.lq, p.lk), {begin, begin + 128}, p.lk, 128);
        work[block] += tiles.end - tiles.begin;
      }
    const double mean = static_cast<double>(std::accumulate(work.begin(), work.end(), int64_t{0})) / kBlocks;
    EXPECT_LE(static_cast<double>(*std::max_element(work.begin(), work.end())), 1.06 * mean) << length;
  }
}

TEST(HopperSchedule, KeyTilesAndVisibleColumnsFollowTheBand) {
  for (const int64_t lq : {1, 50, 130})
    for (const int64_t lk : {1, 40, 200})
      for (const int64_t diagonal : {int64_t{0}, lk - lq})
        for (const int64_t left : {int64_t{0}, int64_t{30}, Band::kUnlimited})
          for (const int64_t right : {int64_t{0}, int64_t{25}, Band::kUnlimited}) {
            const Band band{diagonal, left, right};
            const NarrowBand narrowed = narrow(band, lq, lk);
            const KeyTiles tiles = key_tiles(band, {0, lq}, lk, 16);
            for (int64_t row = 0; row < lq; ++row) {
              const Visible seen = visible(narrowed, static_cast<int>(row));
              for (int64_t column = 0; column < lk; ++column) {
                ASSERT_EQ(band.sees(row, column), column >= seen.first && column <= seen.last);
                const bool visited = column / 16 >= tiles.begin && column / 16 < tiles.end;
                ASSERT_TRUE(visited || !band.sees(row, column));
              }
            }
          }
}

TEST(HopperSchedule, AnUnmaskedTileIsSeenByAllItsRows) {
  for (const int64_t diagonal : {-20, 0, 35})
    for (const int64_t left : {int64_t{10}, Band::kUnlimited}) {
      const Band band{diagonal, left, 4};
      const NarrowBand narrowed = narrow(band, 100, 120);
      for (int begin = 0; begin < 100; begin += 20)
        for (int first = 0; first < 128; first += 8) {
          const bool skips = all_visible(visible_to_all(narrowed, begin, begin + 20), first, 8);
          EXPECT_EQ(skips, first + 8 <= 120 && band.covers({begin, begin + 20}, {first, first + 8}));
        }
    }
}

TEST(HopperRing, PhasesFlipWhenTheRingIsRound) {
  Ring<2> ring;
  std::vector<std::pair<int, uint32_t>> seen;
  for (int i = 0; i < 5; ++i, ring.advance()) seen.emplace_back(ring.stage, ring.phase);
  EXPECT_EQ(seen, (std::vector<std::pair<int, uint32_t>>{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 0}}));
}

}  // namespace
}  // namespace gen::flash_hopper
