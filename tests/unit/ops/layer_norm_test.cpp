#include "gen/ops/layer_norm.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "ops/layer_norm_fused.h"
#include "support/emulated_team.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fused = ops::fused;

struct RowNormCase {
  const char* name;
  std::vector<int64_t> shape;
  bool center, residual, weight, bias;
};

const std::vector<RowNormCase> kRowNormCases{
    {"layer norm", {3, 5, 64}, true, false, true, true},
    {"layer norm, residual", {2, 7, 96}, true, true, true, true},
    {"rms norm", {4, 128}, false, false, true, false},
    {"rms norm, residual", {2, 3, 200}, false, true, true, false},
    {"no parameters", {6, 40}, true, true, false, false},
    {"a tail", {5, 37}, true, true, true, true},
    {"one element", {7, 1}, false, true, true, true},
    {"a vector", {53}, true, true, true, true},
    {"wide", {2, 4099}, true, true, true, true},
    {"wide with vectors", {3, 5120}, false, true, true, true},
    {"many rows", {700, 24}, true, true, true, true},
};

struct Inputs {
  at::Tensor x, residual, weight, bias;
  std::vector<at::Tensor> all() const {
    std::vector<at::Tensor> defined;
    for (const auto& t : {x, residual, weight, bias})
      if (t.defined()) defined.push_back(t);
    return defined;
  }
  ops::NormArgs args() const { return {weight, bias, 1e-5, residual}; }
};

Inputs make_inputs(const RowNormCase& c, at::ScalarType dtype) {
  torch::manual_seed(1);
  const auto like_x = [&] { return (torch::randn(c.shape) * 2 + 1).to(dtype).requires_grad_(); };
  const auto vector = [&] {
    return torch::randn({c.shape.back()}, dtype == at::kDouble ? at::kDouble : at::kFloat).requires_grad_();
  };
  Inputs in;
  in.x = like_x();
  if (c.residual) in.residual = like_x();
  if (c.weight) in.weight = vector();
  if (c.bias) in.bias = vector();
  return in;
}

Inputs in_double(const Inputs& in) {
  const auto convert = [](const at::Tensor& t) {
    return t.defined() ? t.detach().to(at::kDouble).requires_grad_() : at::Tensor();
  };
  return {convert(in.x), convert(in.residual), convert(in.weight), convert(in.bias)};
}

ops::Normed call(const RowNormCase& c, const Inputs& in) {
  return c.center ? ops::layer_norm(in.x, in.args()) : ops::rms_norm(in.x, in.args());
}

/// torch's own operation, in float64.
ops::Normed torchs(const RowNormCase& c, const Inputs& in) {
  const auto s = in.residual.defined() ? in.x + in.residual : in.x;
  if (c.center) return {at::layer_norm(s, {c.shape.back()}, in.weight, in.bias, 1e-5), s};
  const auto y = at::rms_norm(s, {c.shape.back()}, in.weight, 1e-5);
  return {in.bias.defined() ? y + in.bias : y, s};
}

void expect_close(const at::Tensor& got, const at::Tensor& expected, double tolerance,
                  const std::string& what) {
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT(test::max_abs_diff(got.to(at::kDouble), expected) / scale, tolerance) << what;
}

void compare_layer_norm(at::ScalarType dtype, double tolerance) {
  for (const RowNormCase& c : kRowNormCases) {
    const Inputs in = make_inputs(c, dtype), exact = in_double(in);
    const auto got = call(c, in), expected = torchs(c, exact);
    EXPECT_EQ(got.y.scalar_type(), dtype);
    EXPECT_EQ(got.sum.scalar_type(), dtype);
    expect_close(got.y, expected.y, tolerance, c.name);
    expect_close(got.sum, expected.sum, tolerance, std::string(c.name) + ", sum");
    const auto by_y = torch::randn(c.shape).to(dtype), by_sum = torch::randn(c.shape).to(dtype);
    const auto total = [&](const ops::Normed& n, at::ScalarType type) {
      return (n.y * by_y.to(type)).sum() + (n.sum * by_sum.to(type)).sum();
    };
    const auto grads = torch::autograd::grad({total(got, dtype)}, in.all());
    const auto reference = torch::autograd::grad({total(expected, at::kDouble)}, exact.all());
    for (size_t i = 0; i < grads.size(); ++i)
      expect_close(grads[i], reference[i], 4 * tolerance,
                   std::string(c.name) + ", gradient " + std::to_string(i));
  }
}

TEST(LayerNorm, Float32MatchesTorchInFloat64) { compare_layer_norm(at::kFloat, 3e-6); }
TEST(LayerNorm, Bfloat16MatchesTorch) { compare_layer_norm(at::kBFloat16, 1.5e-2); }
TEST(LayerNorm, Float16MatchesTorch) { compare_layer_norm(at::kHalf, 2e-3); }
TEST(LayerNorm, Float64MatchesTorch) { compare_layer_norm(at::kDouble, 1e-9); }

TEST(LayerNorm, EveryInstructionSetMatchesTheDefinition) {
  for (const char* name : {"baseline", "avx2", "avx512"}) {
    const auto* kernels = ops::simd::kernels_for(name);
    if (kernels == nullptr) continue;
    for (const RowNormCase& c : kRowNormCases)
      for (const auto dtype : {at::kFloat, at::kBFloat16}) {
        const Inputs in = make_inputs(c, dtype), exact = in_double(in);
        const double tolerance = dtype == at::kFloat ? 3e-6 : 1.5e-2;
        const ops::RowNormInputs inputs(in.x, in.args(), c.center);
        const auto out = ops::cpu::row_norm_forward(inputs, *kernels);
        const auto expected = torchs(c, exact);
        expect_close(out.y.view(c.shape), expected.y, tolerance, std::string(name) + ", " + c.name);
        const auto dy = torch::randn(c.shape).to(dtype), dsum = torch::randn(c.shape).to(dtype);
        const auto g = ops::cpu::row_norm_backward(inputs, out, dy, dsum, *kernels);
        const auto reference = torch::autograd::grad({expected.y, expected.sum}, {exact.x},
                                                     {dy.to(at::kDouble), dsum.to(at::kDouble)});
        expect_close(g.x, reference[0], 4 * tolerance, std::string(name) + ", gradient, " + c.name);
      }
  }
}

TEST(LayerNorm, StridedInputGivesTheSame) {
  const auto wide = torch::randn({4, 6, 3, 50});
  const auto x = wide.transpose(1, 2).slice(3, 5, 45), weight = torch::randn({40});
  EXPECT_TRUE(torch::equal(ops::layer_norm(x, {weight}).y, ops::layer_norm(x.contiguous(), {weight}).y));
  EXPECT_TRUE(torch::equal(ops::rms_norm(x, {weight, {}, 1e-5, x}).y,
                           ops::rms_norm(x.contiguous(), {weight, {}, 1e-5, x.contiguous()}).y));
}

TEST(LayerNorm, OneOutputAloneHasItsGradient) {
  const RowNormCase c = kRowNormCases[1];
  const Inputs in = make_inputs(c, at::kFloat), exact = in_double(in);
  for (const bool by_sum : {false, true}) {
    const auto pick = [&](const ops::Normed& n) { return (by_sum ? n.sum : n.y).square().sum(); };
    const auto got = torch::autograd::grad({pick(call(c, in))}, {in.residual});
    const auto expected = torch::autograd::grad({pick(torchs(c, exact))}, {exact.residual});
    expect_close(got[0], expected[0], 1e-5, by_sum ? "sum" : "y");
  }
}

TEST(LayerNorm, GradientsDoNotDependOnTheNumberOfThreads) {
  const RowNormCase c{"", {900, 80}, true, true, true, true};
  std::vector<std::vector<at::Tensor>> found;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    const Inputs in = make_inputs(c, at::kFloat);
    found.push_back(torch::autograd::grad({call(c, in).y.square().sum()}, in.all()));
  }
  at::set_num_threads(before);
  for (size_t i = 0; i < found[0].size(); ++i) EXPECT_TRUE(torch::equal(found[0][i], found[1][i])) << i;
}

TEST(LayerNorm, CanBeDifferentiatedTwice) {
  for (const RowNormCase& c : {kRowNormCases[1], kRowNormCases[3]}) {
    const Inputs in = make_inputs(c, at::kFloat), exact = in_double(in);
    const auto second = [](const ops::Normed& n, const Inputs& i) {
      const auto first = torch::autograd::grad({n.y.pow(3).sum() + n.sum.sum()}, {i.x}, {}, true, true)[0];
      return torch::autograd::grad({first.pow(2).sum()}, {i.x})[0];
    };
    expect_close(second(call(c, in), in), second(torchs(c, exact), exact), 1e-4, c.name);
  }
}

TEST(LayerNorm, ALargeMeanCostsNoAccuracy) {
  const auto x = torch::randn({8, 300}) * 0.01 + 100;
  EXPECT_LT(test::max_abs_diff(ops::layer_norm(x, {}).y, at::layer_norm(x.to(at::kDouble), {300})), 2e-3);
}

TEST(LayerNorm, EmptyInputsAreNormed) { EXPECT_EQ(ops::layer_norm(torch::zeros({0, 5}), {}).y.numel(), 0); }

TEST(LayerNorm, NamesTheShapesThatDoNotFit) {
  try {
    ops::rms_norm(torch::zeros({2, 6}), {torch::zeros({5})});
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(
        error.what(),
        "rms_norm: expected x [..., D], weight [D] or none, bias [D] or none, residual like x or none, got x "
        "[2, 6], weight [5], bias none, residual none");
  }
  EXPECT_THROW(ops::layer_norm(torch::zeros({2, 6}), {{}, {}, 1e-5, torch::zeros({6})}), ShapeError);
}

// cuda/layer_norm.cu's bodies on emulated blocks, in its order and geometry.
template <class T, int V, bool kBackward>
void launch(const fused::RowNormProblem& p, bool reversed) {
  test::emulate<fused::BlockSumShared>(p.rows, 1, fused::row_norm_threads(p.width, V), reversed,
                                       [&](const auto& team, auto& shared) {
                                         if constexpr (kBackward)
                                           fused::row_norm_backward<T, V>(team, p, shared);
                                         else
                                           fused::row_norm_forward<T, V>(team, p, shared);
                                       });
  if constexpr (kBackward) {
    test::emulate<fused::ColumnShared>(
        (p.width + fused::kWarp - 1) / fused::kWarp, p.slices, fused::kColumnThreads, reversed,
        [&](const auto& team, auto& shared) { fused::row_norm_columns<T>(team, p, shared); });
    test::emulate_alone((p.width + fused::kColumnThreads - 1) / fused::kColumnThreads, 1,
                        fused::kColumnThreads,
                        [&](const auto& team) { fused::row_norm_parameters(team, p); });
  }
}
template <class T, bool kBackward, bool kReversed>
int launch_vectors(const fused::RowNormProblem& p) {
  if (fused::row_norm_vectors(p, fused::kVector<T>))
    launch<T, fused::kVector<T>, kBackward>(p, kReversed);
  else
    launch<T, 1, kBackward>(p, kReversed);
  return 0;
}
template <bool kBackward, bool kReversed = false>
int emulated(const fused::RowNormProblem* p, void*) {
  switch (p->dtype) {
    case fused::DType::f32:
      return launch_vectors<float, kBackward, kReversed>(*p);
    case fused::DType::bf16:
      return launch_vectors<fused::Bf16, kBackward, kReversed>(*p);
    case fused::DType::f16:
      return launch_vectors<fused::F16, kBackward, kReversed>(*p);
  }
  return 1;
}

TEST(LayerNormCuda, MatchesTorchInEveryDtype) {
  for (const auto& [dtype, tolerance] :
       {std::pair{at::kFloat, 3e-6}, std::pair{at::kBFloat16, 1.5e-2}, std::pair{at::kHalf, 2e-3}})
    for (const RowNormCase& c : kRowNormCases) {
      const Inputs in = make_inputs(c, dtype), exact = in_double(in);
      const ops::RowNormInputs inputs(in.x, in.args(), c.center);
      const auto out = ops::cuda::row_norm_forward(inputs, emulated<false>);
      const auto expected = torchs(c, exact);
      expect_close(out.y, expected.y, tolerance, c.name);
      const auto dy = torch::randn(c.shape).to(dtype), dsum = torch::randn(c.shape).to(dtype);
      const auto g = ops::cuda::row_norm_backward(inputs, out, dy, dsum, emulated<true>);
      const auto reference = torch::autograd::grad({expected.y, expected.sum}, exact.all(),
                                                   {dy.to(at::kDouble), dsum.to(at::kDouble)});
      expect_close(g.x, reference[0], 4 * tolerance, std::string(c.name) + ", dx");
      const size_t parameters = c.residual ? 2 : 1;
      if (c.weight)
        expect_close(g.weight, reference[parameters], 4 * tolerance, std::string(c.name) + ", dweight");
      if (c.bias) expect_close(g.bias, reference.back(), 4 * tolerance, std::string(c.name) + ", dbias");
    }
}

TEST(LayerNormCuda, ResultsDoNotDependOnTheOrderOfThreads) {
  const RowNormCase c{"", {80, 300}, true, true, true, true};
  const Inputs in = make_inputs(c, at::kFloat);
  const ops::RowNormInputs inputs(in.x, in.args(), true);
  const auto a = ops::cuda::row_norm_forward(inputs, emulated<false>);
  const auto b = ops::cuda::row_norm_forward(inputs, emulated<false, true>);
  EXPECT_TRUE(torch::equal(a.y, b.y));
  const auto dy = torch::randn(c.shape);
  const auto ga = ops::cuda::row_norm_backward(inputs, a, dy, {}, emulated<true>);
  const auto gb = ops::cuda::row_norm_backward(inputs, a, dy, {}, emulated<true, true>);
  EXPECT_TRUE(torch::equal(ga.x, gb.x) && torch::equal(ga.weight, gb.weight) &&
              torch::equal(ga.bias, gb.bias));
}

TEST(LayerNormCuda, TheLaunchersAreExported) {
  if (!std::filesystem::exists(test::gen_binary().parent_path().parent_path() / "lib" / "libgen_cuda.so"))
    GTEST_SKIP() << "needs libgen_cuda.so, which is built only where nvcc is there";
  EXPECT_NE(cuda_symbol(fused::kRowNormForwardSymbol), nullptr);
  EXPECT_NE(cuda_symbol(fused::kRowNormBackwardSymbol), nullptr);
}

}  // namespace
}  // namespace gen
