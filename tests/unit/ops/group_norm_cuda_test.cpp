// cuda/group_norm.cu's bodies on emulated blocks, through the code that fills the launcher's arguments.
#include "ops/group_norm_cuda.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/device.h"
#include "gen/ops/fused/group_norm_kernels.h"
#include "support/emulated_team.h"
#include "support/support.h"
#include "unit/ops/group_norm_cases.h"

namespace gen {
namespace {

using namespace group_norm_test;
using Problem = ops::fused::GroupNormProblem;

/// The launches of cuda/group_norm.cu in their order and geometry.
template <class T, int V, bool kBackward, bool kReversed>
void launch(const Problem& p) {
  namespace f = ops::fused;
  const auto grid = f::group_norm_grid<V>(p);
  const auto run = [&](int64_t x, int64_t y, const auto& body) {
    test::emulate(x, y, f::kGroupNormThreads, kReversed, [&](const auto& team, auto&) { body(team); });
  };
  if (p.channels_last)
    test::emulate<f::ChannelSumsShared<V>>(
        grid.sums, grid.sums_y, f::kGroupNormThreads, kReversed,
        [&](const auto& team, auto& shared) { f::channel_sums_last<T, V, kBackward>(team, p, shared); });
  else
    run(grid.sums, 1, [&](const auto& team) { f::channel_sums_planes<T, V, kBackward>(team, p); });
  if constexpr (kBackward) {
    run(grid.groups, 1, [&](const auto& team) { f::finish_backward(team, p); });
    test::emulate_alone(grid.parameters, 1, f::kGroupNormThreads,
                        [&](const auto& team) { f::finish_parameters(team, p); });
  } else {
    run(grid.groups, 1, [&](const auto& team) { f::finish_forward<T>(team, p); });
  }
  test::emulate_alone(grid.write, grid.write_y, f::kGroupNormThreads, [&](const auto& team) {
    if (p.channels_last)
      f::write_last<T, V, kBackward>(team, p);
    else
      f::write_planes<T, V, kBackward>(team, p);
  });
}

template <class T, bool kBackward, bool kReversed>
void with_vectors(const Problem& p) {
  constexpr int V = ops::fused::kVector<T>;
  if (ops::fused::group_norm_vectors(p, V))
    launch<T, V, kBackward, kReversed>(p);
  else
    launch<T, 1, kBackward, kReversed>(p);
}

template <bool kBackward, bool kReversed = false>
int emulated(const Problem* p, void*) {
  switch (p->dtype) {
    case ops::fused::DType::f32:
      with_vectors<float, kBackward, kReversed>(*p);
      return 0;
    case ops::fused::DType::bf16:
      with_vectors<ops::fused::Bf16, kBackward, kReversed>(*p);
      return 0;
    case ops::fused::DType::f16:
      with_vectors<ops::fused::F16, kBackward, kReversed>(*p);
      return 0;
  }
  return 1;
}

void compare_emulated(at::ScalarType dtype, double tolerance) {
  auto cases = kCases;
  cases.push_back({"planes that vectors fit", {2, 8, 8, 16}, 8, 4, false, true, true, true});
  cases.push_back({"last, many columns", {1, 320, 4, 5}, 0, 32, true, false, true, true});
  for (const Case& c : cases) {
    const Inputs in = make_inputs(c, dtype), exact = in_double(in);
    ops::cpu::GroupNormStatistics statistics;
    const auto y = ops::cuda::group_norm_forward(in.x, in.args(c), statistics, emulated<false>);
    const auto expected = plain(exact, c);
    expect_near(y, expected.detach(), tolerance, c.name);
    const auto upstream = torch::randn(y.sizes()).to(dtype);
    const auto g = ops::cuda::group_norm_backward(upstream, in.x, in.args(c), statistics, emulated<true>);
    std::vector<at::Tensor> grads;
    for (const auto& t : {g.x, g.skip, g.weight, g.bias, g.shift, g.film_scale, g.film_shift})
      if (t.defined()) grads.push_back(t);
    const auto reference = torch::autograd::grad({expected}, exact.all(), {upstream.to(at::kDouble)});
    ASSERT_EQ(grads.size(), reference.size()) << c.name;
    for (size_t i = 0; i < grads.size(); ++i)
      expect_near(grads[i], reference[i], 2 * tolerance,
                  std::string(c.name) + ", gradient " + std::to_string(i));
  }
}

TEST(GroupNormCuda, Float32MatchesTheDefinitionInFloat64) { compare_emulated(at::kFloat, 5e-6); }
TEST(GroupNormCuda, Bfloat16MatchesTheDefinition) { compare_emulated(at::kBFloat16, 2e-2); }
TEST(GroupNormCuda, Float16MatchesTheDefinition) { compare_emulated(at::kHalf, 2e-3); }

TEST(GroupNormCuda, ResultsDoNotDependOnTheOrderOfThreads) {
  for (const Case& c : {kCases[2], kCases.back()}) {
    const Inputs in = make_inputs(c, at::kFloat);
    ops::cpu::GroupNormStatistics first, second;
    const auto y = ops::cuda::group_norm_forward(in.x, in.args(c), first, emulated<false>);
    EXPECT_TRUE(
        torch::equal(y, ops::cuda::group_norm_forward(in.x, in.args(c), second, emulated<false, true>)))
        << c.name;
    const auto upstream = torch::randn(y.sizes());
    const auto a = ops::cuda::group_norm_backward(upstream, in.x, in.args(c), first, emulated<true>);
    const auto b = ops::cuda::group_norm_backward(upstream, in.x, in.args(c), first, emulated<true, true>);
    EXPECT_TRUE(torch::equal(a.x, b.x) && torch::equal(a.weight, b.weight)) << c.name;
  }
}

TEST(GroupNormCuda, LargeImagesAreCutIntoSlices) {
  for (const bool last : {false, true}) {
    const Case c{"", {1, 4, 50, 100}, 0, 2, last, false, true};
    const Inputs in = make_inputs(c, at::kFloat);
    ops::cpu::GroupNormStatistics statistics;
    const auto y =
        ops::cuda::group_norm_forward(in.x, in.args(c), statistics, [](const Problem* p, void* stream) {
          EXPECT_GT(p->slices, 8);
          return emulated<false>(p, stream);
        });
    expect_near(y, plain(in_double(in), c).detach(), 5e-6, last ? "last" : "planes");
  }
}

TEST(GroupNormCuda, TheLaunchersAreExported) {
  if (!std::filesystem::exists(test::gen_binary().parent_path().parent_path() / "lib" / "libgen_cuda.so"))
    GTEST_SKIP() << "needs libgen_cuda.so, which is built only where nvcc is there";
  EXPECT_NE(cuda_symbol(ops::fused::kGroupNormForwardSymbol), nullptr);
  EXPECT_NE(cuda_symbol(ops::fused::kGroupNormBackwardSymbol), nullptr);
}

}  // namespace
}  // namespace gen
