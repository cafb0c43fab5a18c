#include "gen/ops/group_norm_silu.h"

#include <torch/torch.h>

#include "gen/core/error.h"
#include "ops/group_norm_cpu.h"
#include "support/support.h"
#include "unit/ops/group_norm_cases.h"

namespace gen {
namespace {

using namespace group_norm_test;

void compare_silu(at::ScalarType dtype, double tolerance) {
  for (const Case& c : kCases) {
    const Inputs in = make_inputs(c, dtype), exact = in_double(in);
    const auto y = ops::group_norm_silu(in.x, in.args(c));
    const auto expected = plain(exact, c);
    EXPECT_EQ(y.scalar_type(), dtype);
    expect_near(y, expected, tolerance, c.name);
    const auto upstream = torch::randn(y.sizes()).to(dtype);
    const auto grads = torch::autograd::grad({y}, in.all(), {upstream});
    const auto reference = torch::autograd::grad({expected}, exact.all(), {upstream.to(at::kDouble)});
    for (size_t i = 0; i < grads.size(); ++i)
      expect_near(grads[i], reference[i], 2 * tolerance,
                  std::string(c.name) + ", gradient " + std::to_string(i));
  }
}

TEST(GroupNormSilu, Float32MatchesTheDefinitionInFloat64) { compare_silu(at::kFloat, 5e-6); }

TEST(GroupNormSilu, Bfloat16MatchesTheDefinition) { compare_silu(at::kBFloat16, 2e-2); }

TEST(GroupNormSilu, Float64MatchesTheDefinition) { compare_silu(at::kDouble, 1e-9); }

TEST(GroupNormSilu, EveryInstructionSetGivesTheSame) {
  for (const char* name : {"baseline", "avx2", "avx512"}) {
    const auto* kernels = ops::simd::kernels_for(name);
    if (kernels == nullptr) continue;
    EXPECT_STREQ(kernels->instruction_set, name);
    for (const Case& c : kCases) {
      const Inputs in = make_inputs(c, at::kFloat), exact = in_double(in);
      ops::cpu::GroupNormStatistics statistics;
      const auto y = ops::cpu::group_norm_forward(in.x, in.args(c), statistics, *kernels);
      expect_near(y, plain(exact, c).detach(), 5e-6, std::string(name) + ", " + c.name);
      const auto upstream = torch::randn(y.sizes());
      const auto grads = ops::cpu::group_norm_backward(upstream, in.x, in.args(c), statistics, *kernels);
      const auto reference = torch::autograd::grad({plain(exact, c)}, {exact.x}, {upstream.to(at::kDouble)});
      expect_near(grads.x, reference[0], 1e-5, std::string(name) + ", gradient, " + c.name);
    }
  }
}

TEST(GroupNormSilu, GradientMatchesFiniteDifferences) {
  const Case c{"", {2, 6, 3, 3}, 2, 4, true, true, true, true};
  const Inputs in = make_inputs(c, at::kFloat), exact = in_double(in);
  const auto upstream = torch::randn({2, 8, 3, 3});
  const auto y = ops::group_norm_silu(in.x, in.args(c));
  const auto grads = torch::autograd::grad({y}, in.all(), {upstream});
  const auto inputs = exact.all();
  const at::NoGradGuard no_grad;
  const auto value = [&] { return (plain(exact, c) * upstream).sum().item<double>(); };
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto direction = torch::randn(inputs[i].sizes(), at::kDouble);
    constexpr double kStep = 1e-5;
    inputs[i].add_(direction, kStep);
    const double up = value();
    inputs[i].sub_(direction, 2 * kStep);
    const double down = value();
    inputs[i].add_(direction, kStep);
    EXPECT_NEAR((grads[i] * direction).sum().item<double>(), (up - down) / (2 * kStep), 2e-4)
        << "input " << i;
  }
}

TEST(GroupNormSilu, KeepsTheLayout) {
  const Case c{"", {2, 6, 4, 5}, 2, 2, true, false, true};
  const Inputs in = make_inputs(c, at::kFloat);
  EXPECT_TRUE(ops::group_norm_silu(in.x, in.args(c)).is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(ops::group_norm_silu(torch::randn({2, 8, 4, 5}), 2, in.weight, in.bias, 1e-5).is_contiguous());
}

TEST(GroupNormSilu, ALargeMeanCostsNoAccuracy) {
  const auto x = (torch::randn({2, 8, 16, 16}, at::kDouble) * 0.01 + 100).to(at::kFloat);
  const auto one = torch::ones({8}), zero = torch::zeros({8});
  const auto expected = at::group_norm(x.to(at::kDouble), 4, one.to(at::kDouble), zero.to(at::kDouble), 1e-5);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    EXPECT_LT(
        test::max_abs_diff(ops::group_norm_silu(x.contiguous(format), 4, one, zero, 1e-5, false), expected),
        2e-3);
}

TEST(GroupNormSilu, NotFiniteStaysNotFinite) {
  auto x = torch::randn({1, 4, 3, 3});
  x[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto y = ops::group_norm_silu(x.to(dtype), 2, torch::ones({4}), torch::zeros({4}), 1e-5);
    EXPECT_TRUE(y[0].slice(0, 0, 2).isnan().all().item<bool>());
    EXPECT_TRUE(y[0].slice(0, 2).isfinite().all().item<bool>());
  }
}

TEST(GroupNormSilu, CanBeDifferentiatedTwice) {
  const auto x = torch::randn({2, 4, 3, 3}).requires_grad_();
  const auto w = torch::ones({4}).requires_grad_(), b = torch::zeros({4}).requires_grad_();
  const auto second = [&](const at::Tensor& y) {
    const auto first = torch::autograd::grad({y.pow(2).sum()}, {x}, {}, true, true)[0];
    return torch::autograd::grad({first.pow(2).sum()}, {x})[0];
  };
  const auto expected = second(at::silu(at::group_norm(x, 2, w, b, 1e-5)));
  expect_near(second(ops::group_norm_silu(x, 2, w, b, 1e-5)), expected.to(at::kDouble), 1e-4,
              "second derivative");
}

TEST(GroupNormSilu, NamesTheShapesThatDoNotFit) {
  const auto x = at::zeros({2, 6, 4, 4}), w = at::zeros({6});
  try {
    ops::group_norm_silu(x, 4, w, w, 1e-5);
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(
        error.what(),
        "group_norm_silu: expected x [B, C - S, ...], skip [B, S, ...] or none, weight [C], bias [C], shift "
        "[B, C] or none, film_scale and film_shift [B, C] or none, and num_groups that divide C, got x [2, "
        "6, 4, 4], "
        "skip none, weight [6], bias [6], shift none, film_scale none, film_shift none, num_groups 4");
  }
  EXPECT_THROW(ops::group_norm_silu(x, 3, at::zeros({5}), w, 1e-5), ShapeError);
  ops::GroupNormArgs args{2, w, w, 1e-5, true, at::zeros({2, 2, 4, 5}), {}};
  EXPECT_THROW(ops::group_norm_silu(x, args), ShapeError);
  args.skip = at::Tensor();
  args.shift = at::zeros({6});
  EXPECT_THROW(ops::group_norm_silu(x, args), ShapeError);
  args.shift = at::Tensor();
  args.film_scale = at::zeros({2, 6});
  EXPECT_THROW(ops::group_norm_silu(x, args), ShapeError);
}

}  // namespace
}  // namespace gen
