#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <exception>
#include <limits>
#include <memory>
#include <thread>

#include "hopper_emulator.h"

namespace gen::test {
namespace {

using ops::flash::Band;
using ops::flash::Problem;

struct Case {
  int64_t batch, heads, kv_heads, lq, lk, dim;
  bool bottom_right = true;
  int64_t left = Band::kUnlimited, right = Band::kUnlimited;
  at::ScalarType dtype = at::kBFloat16;
};

Problem problem_of(const Case& c) {
  Problem p;
  p.batch = c.batch, p.heads = c.heads, p.kv_heads = c.kv_heads;
  p.lq = c.lq, p.lk = c.lk, p.dim = c.dim;
  p.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.dim)));
  p.bottom_right = c.bottom_right, p.left = c.left, p.right = c.right;
  return p;
}

/// The kernel's last step (store.cuh) of one warpgroup, its lanes' exchanges included.
template <typename Tile, typename T>
void store(const EmulatedWarpgroup<Tile, T>& wg, float scale, T* out, float* lse) {
  for (int quad = 0; quad < 128; quad += 4)
    for (int half = 0; half < 2; ++half) {
      const int row = wg.first_row + hopper::accumulator_row(quad, 2 * half);
      float sum = 0;
      for (int lane = 0; lane < 4; ++lane) sum += wg.state[quad + lane].sum[half];
      if (row < wg.lq) lse[row] = hopper::log_sum_exp(wg.state[quad].maximum[half], sum, scale);
      for (int group = 0; group < Tile::kDim / 8; group += 4) {
        uint32_t word[4][4];
        for (int lane = 0; lane < 4; ++lane)
          for (int w = 0; w < 4; ++w) {
            const int r = 4 * (group + w) + 2 * half;
            const T pair[2] = {T(wg.out[quad + lane][r] * hopper::normaliser(sum)),
                               T(wg.out[quad + lane][r + 1] * hopper::normaliser(sum))};
            std::memcpy(&word[lane][w], pair, sizeof pair);
          }
        for (int bit = 1; bit <= 2; bit <<= 1)
          for (int index = 0; index < 4; ++index) {
            if ((index & bit) != 0) continue;
            uint32_t sent[4];
            for (int lane = 0; lane < 4; ++lane)
              sent[lane] = hopper::butterfly_send(word[lane], lane, bit, index);
            for (int lane = 0; lane < 4; ++lane)
              hopper::butterfly_receive(word[lane], lane, bit, index, sent[lane ^ bit]);
          }
        for (int lane = 0; lane < 4 && row < wg.lq; ++lane)
          std::memcpy(out + int64_t{row} * Tile::kDim + 8 * (group + lane), word[lane], 16);
      }
    }
}

/// The kernel over a grid of `blocks`, one thread for the loading warp and one for each warpgroup.
template <int Dim, typename T, bool Masked>
void emulate(const Case& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::Tensor& out,
             at::Tensor& lse, int blocks) {
  using Tile = hopper::Tile<Dim>;
  const Problem p = problem_of(c);
  const hopper::Schedule schedule = hopper::make_schedule(p, Tile::kRows);
  const Band band = p.band(c.lq, c.lk);
  const int lq = static_cast<int>(c.lq), lk = static_cast<int>(c.lk);
  const auto tiles_of = [&](const hopper::Work& work) {
    const int64_t begin = int64_t{work.row_tile} * Tile::kRows;
    return Masked
               ? hopper::key_tiles(band, {begin, std::min<int64_t>(begin + Tile::kRows, lq)}, lk, Tile::kKeys)
               : hopper::KeyTiles{0, (lk + Tile::kKeys - 1) / Tile::kKeys};
  };
  const auto matrix = [&](const at::Tensor& x, const hopper::Work& work, int head) {
    return Matrix<T>{x[work.batch][head].template data_ptr<T>(), static_cast<int>(x.size(2)), Dim};
  };
  for (int block = 0; block < blocks; ++block) {
    std::vector<uint8_t> shared(Tile::kSharedBytes, 0xFF);  // NaN until loaded
    EmulatedBarriers state;
    const hopper::Barriers<Tile> barriers{Tile::kBarriers};
    barriers.initialise(state);
    std::vector<std::exception_ptr> failures(Tile::kConsumers + 1);
    const auto role = [&](int warpgroup) {
      hopper::Progress<Tile> progress;
      for (int round = 0;; ++round) {
        const int64_t index = schedule.index(block, blocks, round);
        if (index < 0) break;
        const hopper::Work work = schedule.work(index);
        const hopper::KeyTiles tiles = tiles_of(work);
        const int kv_head = work.head / static_cast<int>(c.heads / c.kv_heads);
        if (warpgroup < 0) {
          EmulatedLoader<Tile, T> loader{shared,
                                         state,
                                         matrix(q, work, work.head),
                                         matrix(k, work, kv_head),
                                         matrix(v, work, kv_head),
                                         work.row_tile};
          if (!tiles.empty()) hopper::load(tiles, barriers, progress, loader);
          continue;
        }
        const auto machine = std::make_unique<EmulatedWarpgroup<Tile, T>>(
            EmulatedWarpgroup<Tile, T>{shared,
                                       state,
                                       hopper::narrow(band, lq, lk),
                                       p.scale * hopper::kLog2E,
                                       warpgroup,
                                       work.row_tile * Tile::kRows + warpgroup * hopper::kWarpgroupRows,
                                       lq,
                                       {}});
        if (!tiles.empty()) hopper::attend<Masked>(tiles, barriers, progress, *machine);
        store(*machine, p.scale, out[work.batch][work.head].template data_ptr<T>(),
              lse[work.batch][work.head].template data_ptr<float>());
      }
    };
    std::vector<std::thread> threads;
    for (int warpgroup = -1; warpgroup < Tile::kConsumers; ++warpgroup)
      threads.emplace_back([&, warpgroup] {
        try {
          role(warpgroup);
        } catch (...) {
          failures[warpgroup + 1] = std::current_exception();
        }
        if (warpgroup < 0) state.loader_ends();
      });
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& failure : failures)
      if (failure) std::rethrow_exception(failure);
  }
}

template <int Dim, typename T>
void emulate(const Case& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::Tensor& out,
             at::Tensor& lse) {
  constexpr int kBlocks = 2;
  if (hopper::hides_keys(problem_of(c)))
    emulate<Dim, T, true>(c, q, k, v, out, lse, kBlocks);
  else
    emulate<Dim, T, false>(c, q, k, v, out, lse, kBlocks);
}

/// Attention in float64 by the formula, with the visibility of each element from its definition.
std::pair<at::Tensor, at::Tensor> reference(const Case& c, const at::Tensor& q, const at::Tensor& k,
                                            const at::Tensor& v) {
  const auto repeated = [&](const at::Tensor& x) {
    return x.to(at::kDouble).repeat_interleave(c.heads / c.kv_heads, 1);
  };
  auto scores =
      at::matmul(q.to(at::kDouble), repeated(k).transpose(2, 3)) / std::sqrt(static_cast<double>(c.dim));
  const int64_t diagonal = c.bottom_right ? c.lk - c.lq : 0;
  const auto distance = at::arange(c.lk).unsqueeze(0) - at::arange(c.lq).unsqueeze(1) - diagonal;
  const auto hidden = distance.gt(c.right).logical_or(distance.lt(-c.left));
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  const auto lse = scores.logsumexp(3);
  const auto weights = scores.softmax(3).nan_to_num(0);  // a row that sees nothing
  return {at::matmul(weights, repeated(v)), lse};
}

void expect_as_reference(const Case& c) {
  SCOPED_TRACE(::testing::Message() << "dim " << c.dim << " lq " << c.lq << " lk " << c.lk << " left "
                                    << c.left << " right " << c.right << " bottom_right " << c.bottom_right);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(c.lq * 1000 + c.lk);
  const auto random = [&](int64_t heads, int64_t length) {
    return at::randn({c.batch, heads, length, c.dim}, generator).to(c.dtype);
  };
  const auto q = random(c.heads, c.lq), k = random(c.kv_heads, c.lk), v = random(c.kv_heads, c.lk);
  auto out = at::full_like(q, std::numeric_limits<float>::quiet_NaN());
  auto lse = at::full({c.batch, c.heads, c.lq}, std::numeric_limits<float>::quiet_NaN());
  const auto run = [&]<int Dim>() {
    if (c.dtype == at::kHalf)
      emulate<Dim, at::Half>(c, q, k, v, out, lse);
    else
      emulate<Dim, at::BFloat16>(c, q, k, v, out, lse);
  };
  if (c.dim == 64) run.operator()<64>();
  if (c.dim == 128) run.operator()<128>();
  if (c.dim == 256) run.operator()<256>();
  const auto [expected, expected_lse] = reference(c, q, k, v);
  // Probabilities and outputs are rounded to the 16-bit type, whose unit is 2^-8 or 2^-11.
  const double tolerance = c.dtype == at::kHalf ? 1e-3 : 6e-3;
  const double error = (out.to(at::kDouble) - expected).norm().item<double>();
  EXPECT_LE(error, tolerance * (expected.norm().item<double>() + 1e-9));
  EXPECT_TRUE(at::equal(lse.isinf(), expected_lse.isinf()));
  EXPECT_TRUE(at::allclose(lse.to(at::kDouble).nan_to_num(std::nan(""), 0, 0),
                           expected_lse.nan_to_num(std::nan(""), 0, 0), 1e-5, 1e-5));
}

TEST(HopperForward, FullAttentionMatchesFloat64) {
  expect_as_reference({1, 2, 2, 200, 300, 64});
  expect_as_reference({1, 1, 1, 130, 257, 128});
  expect_as_reference({1, 1, 1, 129, 200, 256});
}

TEST(HopperForward, Float16MatchesFloat64) {
  for (const int64_t dim : {64, 128, 256})
    expect_as_reference(
        {.batch = 1, .heads = 1, .kv_heads = 1, .lq = 140, .lk = 190, .dim = dim, .dtype = at::kHalf});
}

TEST(HopperForward, TailsOfEveryKindMatchFloat64) {
  for (const int64_t lq : {1, 63, 64, 193})
    for (const int64_t lk : {1, 77, 128, 129}) expect_as_reference({1, 1, 1, lq, lk, 64});
}

TEST(HopperForward, CausalOfBothAlignmentsMatchesFloat64) {
  for (const bool bottom_right : {true, false}) {
    expect_as_reference({1, 1, 1, 400, 400, 64, bottom_right, Band::kUnlimited, 0});
    expect_as_reference({1, 1, 1, 100, 333, 128, bottom_right, Band::kUnlimited, 0});
    expect_as_reference({1, 1, 1, 270, 90, 256, bottom_right, Band::kUnlimited, 0});
  }
}

TEST(HopperForward, SlidingWindowMatchesFloat64) {
  expect_as_reference({1, 1, 1, 500, 500, 64, true, 40, 0});
  expect_as_reference({1, 1, 1, 200, 420, 128, true, 30, 17});
  expect_as_reference({1, 1, 1, 150, 310, 256, false, 5, 100});
}

TEST(HopperForward, RowsThatSeeNoKeyAreZeroWithInfiniteLogSumExp) {
  expect_as_reference({1, 1, 1, 300, 20, 64, true, Band::kUnlimited, 0});
  expect_as_reference({1, 1, 1, 300, 20, 128, false, 3, 0});
}

TEST(HopperForward, GroupedHeadsReadTheirKeyHead) {
  expect_as_reference({2, 6, 2, 70, 150, 64, true, Band::kUnlimited, 0});
}

}  // namespace
}  // namespace gen::test
