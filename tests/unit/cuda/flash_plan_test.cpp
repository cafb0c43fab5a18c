// The choice of kernels, grids and work space for a problem on a GPU.
#include "flash/plan.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>

namespace gen::flash {
namespace {

alignas(16) char memory[64];

Problem problem(int64_t batch, int64_t heads, int64_t lq, int64_t lk, int64_t dim,
                DType dtype = DType::bf16) {
  Problem p;
  p.batch = batch, p.heads = heads, p.kv_heads = heads, p.lq = lq, p.lk = lk, p.dim = dim, p.dtype = dtype;
  p.q = p.k = p.v = memory;
  p.q_strides = {heads * lq * dim, lq * dim, dim};
  p.k_strides = p.v_strides = {heads * lk * dim, lk * dim, dim};
  return p;
}
ForwardResult result_of(const Problem& p) { return {memory, p.q_strides, nullptr, 0, 0}; }
ForwardPlan plan(const Problem& p, int multiprocessors = 108) {
  return plan_forward(p, result_of(p), {multiprocessors, 8});
}
BackwardPlan plan_back(const Problem& p, bool deterministic = true) {
  BackwardArguments b;
  b.deterministic = deterministic;
  return plan_backward(p, b);
}

TEST(FlashPlan, TheLeastTileThatHoldsTheHeadDimensionIsTaken) {
  const std::pair<int64_t, int> expected[] = {
      {1, 32},  {32, 32}, {33, 40},   {40, 40},   {48, 64},   {64, 64},   {72, 72},   {80, 80},
      {88, 96}, {96, 96}, {112, 128}, {128, 128}, {136, 160}, {160, 160}, {168, 256}, {256, 256}};
  for (const auto& [dim, tile] : expected) EXPECT_EQ(forward_tile_dim(dim, false), tile) << dim;
  EXPECT_EQ(tile_dim(72, true), 80);
  EXPECT_EQ(tile_dim(96, true), 128);
  EXPECT_EQ(tile_dim(257, true), 0);
}

TEST(FlashPlan, ItCoversEveryRowOfEveryHead) {
  for (int64_t dim : {32, 64, 128, 160, 256})
    for (int64_t lq : {1, 63, 64, 65, 128, 129, 1000}) {
      const auto f = plan(problem(3, 5, lq, 4096, dim), 1);
      const int rows = dim > 128 ? 64 : 128;
      EXPECT_GE(f.arguments.order.tiles * rows, lq);
      EXPECT_LT((f.arguments.order.tiles - 1) * rows, lq);
      EXPECT_EQ(f.blocks, int64_t{f.arguments.order.tiles} * 15);
      const auto b = plan_back(problem(3, 5, lq, lq, dim));
      EXPECT_GE(b.queries.tiles * 64, lq);
      EXPECT_GE(b.keys.tiles * 64, lq);
    }
}

TEST(FlashPlan, EachBlockOfAnOrderIsAnotherTile) {
  for (bool reversed : {false, true}) {
    const Order order{7, 3, reversed};
    std::set<std::tuple<int, int, int>> seen;
    for (int64_t block = 0; block < 7 * 3 * 2; ++block) {
      const auto w = order(block);
      EXPECT_TRUE(w.tile >= 0 && w.tile < 7 && w.head < 3 && w.batch < 2);
      seen.insert({w.tile, w.head, w.batch});
    }
    EXPECT_EQ(seen.size(), 42U);
    EXPECT_EQ(order(0).tile, reversed ? 6 : 0);
  }
}

TEST(FlashPlan, OptionsAndRowsThatAreNotAlignedTakeTheGeneralKernel) {
  EXPECT_FALSE(plan(problem(1, 1, 64, 64, 64), 1).choice.general);
  auto p = problem(1, 1, 64, 64, 64);
  p.softcap = 30;
  EXPECT_TRUE(plan(p, 1).choice.general);
  p = problem(1, 1, 64, 64, 64);
  p.scale = -1;
  EXPECT_TRUE(plan(p, 1).choice.general);
  p = problem(1, 1, 64, 64, 64);
  p.k_strides.row = 65;
  EXPECT_TRUE(plan(p, 1).choice.general);
  p = problem(1, 1, 64, 64, 64);
  p.v = memory + 2;
  EXPECT_TRUE(plan(p, 1).choice.general);
  EXPECT_TRUE(plan_back(p).choice.general);
  p = problem(1, 1, 64, 64, 64);
  p.q_strides.batch = p.q_strides.head = 3;  // of one batch and one head: of no account
  EXPECT_FALSE(plan(p, 1).choice.general);
}

TEST(FlashPlan, Float32IsComputedInFloat32) {
  const auto p = problem(2, 3, 100, 50, 72, DType::f32);
  EXPECT_EQ(plan(p).choice.arithmetic, Arithmetic::scalar);
  EXPECT_EQ(plan(p).choice.dim, 128);
  EXPECT_EQ(plan(p).arguments.order.tiles, 4);
  EXPECT_EQ(plan_back(p, false).workspace_bytes, 0U);
}

TEST(FlashPlan, ProblemsBeyondTheKernelsAreRefusedWithTheReason) {
  EXPECT_NE(std::string(plan(problem(1, 1, 8, 8, 264)).choice.refusal).find("256"), std::string::npos);
  EXPECT_NE(plan(problem(1, 1, kMostRows, 8, 64)).choice.refusal, nullptr);
  EXPECT_NE(plan(problem(1 << 20, 1 << 12, 8, 8, 64)).choice.refusal, nullptr);
  EXPECT_EQ(plan(problem(1, 1, 8, 8, 256)).choice.refusal, nullptr);
}

TEST(FlashPlan, FewQueriesSplitTheirKeys) {
  const auto decoding = plan(problem(1, 8, 1, 8192, 64), 132);
  EXPECT_GT(decoding.arguments.parts.splits, 8);
  EXPECT_EQ(decoding.blocks, 8 * decoding.arguments.parts.splits);
  EXPECT_EQ(decoding.workspace_bytes, static_cast<size_t>(decoding.arguments.parts.splits) * 8 * 65 * 4);
  EXPECT_EQ(plan(problem(16, 8, 1, 8192, 64), 132).arguments.parts.splits, 1) << "the GPU is full without";
  EXPECT_EQ(plan(problem(1, 1, 1, 64, 64), 132).arguments.parts.splits, 1) << "one tile of keys";
}

TEST(FlashPlan, FewKeysTakeTheKernelThatKeepsThemAll) {
  const auto text = plan(problem(2, 8, 4096, 77, 40));
  EXPECT_TRUE(text.choice.short_keys);
  EXPECT_EQ(text.arguments.order.tiles, 27) << "four blocks for each multiprocessor";
  EXPECT_EQ(plan(problem(2, 8, 100, 77, 40)).arguments.order.tiles, 2) << "no more than there are tiles";
  EXPECT_FALSE(plan(problem(2, 8, 4096, 129, 40)).choice.short_keys);
  EXPECT_FALSE(plan(problem(2, 8, 4096, 77, 256)).choice.short_keys);
  auto p = problem(2, 8, 4096, 77, 40);
  p.softcap = 1;
  EXPECT_FALSE(plan(p).choice.short_keys);
}

TEST(FlashPlan, SplitsAreTheFewestNearTheBestUseOfWholeWaves) {
  EXPECT_EQ(key_splits(100, 50, 108), 1);
  EXPECT_EQ(key_splits(54, 50, 108), 2);
  EXPECT_EQ(key_splits(1, 4, 108), 4);
  for (int64_t blocks : {1, 7, 40, 80})
    for (int64_t tiles : {2, 5, 9, 33, 500}) {
      const int splits = key_splits(blocks, tiles, 108);
      const int64_t each = (tiles + splits - 1) / splits;
      EXPECT_EQ((tiles + each - 1) / each, splits) << "no part is empty";
      EXPECT_LE(splits, 128);
    }
}

TEST(FlashPlan, PartsCoverAllKeyTilesOnce) {
  for (int count : {1, 2, 7, 16})
    for (int splits : {1, 2, 3, 7, 20}) {
      int next = 5;
      for (int s = 0; s < splits; ++s) {
        const KeyTiles part = part_of({5, 5 + count}, s, splits);
        if (part.empty()) continue;
        EXPECT_EQ(part.begin, next);
        next = part.end;
      }
      EXPECT_EQ(next, 5 + count);
    }
}

TEST(FlashPlan, TheAtomicBackwardAsksForRoomForQueryGradients) {
  EXPECT_EQ(plan_back(problem(2, 3, 50, 60, 64)).workspace_bytes, 0U);
  const auto atomic = plan_back(problem(2, 3, 50, 60, 64), false);
  EXPECT_TRUE(atomic.atomic);
  EXPECT_EQ(atomic.workspace_bytes, size_t{2 * 3 * 50 * 64 * 4});
}

TEST(FlashPlan, SharedMemoryIsWhatABlockOfSm80Has) {
  EXPECT_LE((ForwardTile<256, false>::kSharedBytes), uint32_t{163 * 1024});
  EXPECT_LE((KeyGradTile<256, false>::kSharedBytes), uint32_t{163 * 1024});
  EXPECT_LE((QueryGradTile<256, false>::kSharedBytes), uint32_t{163 * 1024});
  EXPECT_LE(ScalarTile<256>::kSharedBytes, uint32_t{163 * 1024});
  EXPECT_EQ((ForwardTile<64, false>::kSharedBytes), uint32_t{2 * 64 * (128 + 2 * 64)});
}

}  // namespace
}  // namespace gen::flash
