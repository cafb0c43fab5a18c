#include "gen/ops/rotary.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "ops/rotary_fused.h"
#include "support/emulated_team.h"
#include "support/support.h"

namespace gen {
namespace {

namespace fused = ops::fused;
using ops::RotaryLayout;

struct RotaryCase {
  const char* name;
  int64_t batch, heads, length, dim, rotary_dim;
  RotaryLayout layout;
  bool positions_by_batch = false;
};
const std::vector<RotaryCase> kRotaryCases{
    {"a head of 64", 2, 3, 5, 64, 64, RotaryLayout::half},
    {"a head of 64, interleaved", 2, 3, 5, 64, 64, RotaryLayout::interleaved, true},
    {"a part", 2, 2, 4, 80, 32, RotaryLayout::half, true},
    {"a part, interleaved", 1, 2, 4, 96, 48, RotaryLayout::interleaved},
    {"odd sizes", 2, 3, 3, 23, 14, RotaryLayout::half},
    {"odd sizes, interleaved", 2, 3, 3, 23, 14, RotaryLayout::interleaved, true},
    {"wide", 1, 1, 2, 320, 320, RotaryLayout::interleaved},
    {"two elements", 3, 1, 1, 2, 2, RotaryLayout::half},
};

ops::RotaryTable table_of(const RotaryCase& c) {
  auto positions = torch::arange(c.length) * 7 + 3;
  if (c.positions_by_batch) positions = positions.unsqueeze(0) + torch::arange(c.batch).unsqueeze(1) * 100;
  return ops::rotary_table(positions, ops::rotary_frequencies(c.rotary_dim, 10000.0));
}

/// Eq. 15 of Su et al. 2021 as a complex product, in float64.
at::Tensor definition(const at::Tensor& x, const RotaryCase& c, const ops::RotaryTable& table) {
  const int64_t pairs = c.rotary_dim / 2;
  const auto rotated = x.narrow(3, 0, c.rotary_dim).to(at::kDouble);
  const bool neighbours = c.layout == RotaryLayout::interleaved;
  const auto numbers = at::view_as_complex(
      (neighbours ? rotated.unflatten(3, {pairs, 2}) : rotated.unflatten(3, {2, pairs}).transpose(3, 4))
          .contiguous());
  auto turn = at::complex(table.cos.to(at::kDouble), table.sin.to(at::kDouble));
  if (turn.dim() == 3) turn = turn.unsqueeze(1);
  const auto turned = at::view_as_real(numbers * turn);  // [B, H, T, pairs, 2]
  return at::cat({(neighbours ? turned : turned.transpose(3, 4)).flatten(3),
                  x.narrow(3, c.rotary_dim, c.dim - c.rotary_dim).to(at::kDouble)},
                 3);
}

at::Tensor make_x(const RotaryCase& c, at::ScalarType dtype) {
  torch::manual_seed(2);
  return torch::randn({c.batch, c.heads, c.length, c.dim}).to(dtype);
}

TEST(Rotary, MatchesTransformers) {
  const auto golden = nlohmann::json::parse(test::read_text(test::source_dir() / "tests/golden/rotary.json"));
  const int64_t B = golden["batch"], H = golden["heads"], T = golden["length"];
  for (const auto& each : golden["cases"]) {
    const int64_t D = each["dim"];
    const auto x =
        (torch::arange(B * H * T * D).mul(37).remainder(101).to(at::kFloat) / 64 - 0.75).view({B, H, T, D});
    const auto positions = torch::tensor(each["positions"].get<std::vector<std::vector<int64_t>>>()[0]);
    const auto second = torch::tensor(each["positions"].get<std::vector<std::vector<int64_t>>>()[1]);
    const auto table = ops::rotary_table(torch::stack({positions, second}),
                                         ops::rotary_frequencies(each["rotary_dim"], each["theta"]));
    const auto layout = each["layout"] == "half" ? RotaryLayout::half : RotaryLayout::interleaved;
    const auto expected = torch::tensor(each["rotated"].get<std::vector<float>>()).view({B, H, T, D});
    EXPECT_LT(test::max_abs_diff(ops::rotary(x, table, layout), expected), 1e-6) << each["name"];
  }
}

TEST(Rotary, MatchesTheComplexProductInEveryDtype) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble})
    for (const RotaryCase& c : kRotaryCases) {
      const double tolerance = dtype == at::kFloat ? 2e-6 : test::tolerance(dtype);
      const auto x = make_x(c, dtype);
      const auto table = table_of(c);
      const auto y = ops::rotary(x, table, c.layout);
      EXPECT_EQ(y.scalar_type(), dtype);
      EXPECT_LT(test::max_abs_diff(y.to(at::kDouble), definition(x, c, table)), tolerance) << c.name;
    }
}

TEST(Rotary, EveryInstructionSetMatchesTheDefinition) {
  for (const char* name : {"baseline", "avx2", "avx512"}) {
    const auto* kernels = ops::simd::kernels_for(name);
    if (kernels == nullptr) continue;
    for (const RotaryCase& c : kRotaryCases)
      for (const auto dtype : {at::kFloat, at::kBFloat16}) {
        const auto x = make_x(c, dtype);
        const auto y = torch::full_like(x, std::numeric_limits<float>::quiet_NaN());
        const auto table = table_of(c);
        ops::cpu::rotate_rows(ops::rotary_problem(x, y, table, c.layout, false), *kernels);
        EXPECT_LT(test::max_abs_diff(y.to(at::kDouble), definition(x, c, table)),
                  dtype == at::kFloat ? 2e-6 : 2e-2)
            << name << ", " << c.name;
      }
  }
}

TEST(Rotary, InPlaceGivesTheSameBits) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const RotaryCase& c : kRotaryCases) {
      const auto x = make_x(c, dtype);
      const auto y = ops::rotary(x, table_of(c), c.layout);
      const auto in_place = x.clone();
      EXPECT_TRUE(ops::rotary_(in_place, table_of(c), c.layout).is_same(in_place));
      EXPECT_TRUE(torch::equal(in_place, y)) << c.name;
    }
}

TEST(Rotary, StridedQueriesGiveTheSame) {
  const RotaryCase c{"", 2, 3, 5, 16, 16, RotaryLayout::half};
  const auto fused_qkv = torch::randn({2, 5, 3, 3, 16});
  const auto q = fused_qkv.select(2, 1).transpose(1, 2);  // [B, H, T, D], rows apart
  const auto expected = definition(q, c, table_of(c));
  EXPECT_LT(test::max_abs_diff(ops::rotary(q, table_of(c), c.layout), expected), 2e-6);
  const auto untouched = fused_qkv.select(2, 0).clone();
  ops::rotary_(q, table_of(c), c.layout);
  EXPECT_LT(test::max_abs_diff(q, expected), 2e-6);
  EXPECT_TRUE(torch::equal(fused_qkv.select(2, 0), untouched));
  const auto across = torch::randn({2, 3, 16, 5}).transpose(2, 3);
  EXPECT_LT(
      test::max_abs_diff(ops::rotary(across, table_of(c), c.layout), definition(across, c, table_of(c))),
      2e-6);
  EXPECT_THROW(ops::rotary_(across, table_of(c), c.layout), ShapeError);
}

TEST(Rotary, GradientIsThatOfTheDefinition) {
  for (const RotaryCase& c : kRotaryCases) {
    const auto x = make_x(c, at::kFloat).requires_grad_(),
               exact = x.detach().to(at::kDouble).requires_grad_();
    const auto table = table_of(c);
    const auto upstream = torch::randn(x.sizes());
    const auto expected =
        torch::autograd::grad({definition(exact, c, table)}, {exact}, {upstream.to(at::kDouble)})[0];
    const auto got = torch::autograd::grad({ops::rotary(x, table, c.layout)}, {x}, {upstream})[0];
    EXPECT_LT(test::max_abs_diff(got, expected), 2e-6) << c.name;
    const auto in_place = torch::autograd::grad({ops::rotary_(x * 1, table, c.layout)}, {x}, {upstream})[0];
    EXPECT_TRUE(torch::equal(in_place, got)) << c.name;
  }
}

TEST(Rotary, CanBeDifferentiatedTwice) {
  const RotaryCase c = kRotaryCases[2];
  const auto x = make_x(c, at::kFloat).requires_grad_();
  const auto y = ops::rotary(x, table_of(c), c.layout);
  const auto first = torch::autograd::grad({y.pow(3).sum() / 3}, {x}, {}, true, true)[0];
  const auto got = torch::autograd::grad({first.square().sum()}, {x})[0];
  // The rotation R keeps lengths, so |R^T y^2|^2 = sum y^4.
  const auto expected = torch::autograd::grad({ops::rotary(x, table_of(c), c.layout).pow(4).sum()}, {x})[0];
  EXPECT_LT(test::max_abs_diff(got, expected), 1e-3);
}

TEST(Rotary, ScoresDependOnTheDistanceAlone) {
  const auto q = torch::randn({1, 1, 1, 32}), k = torch::randn({1, 1, 1, 32});
  const auto frequencies = ops::rotary_frequencies(32);
  const auto score = [&](int64_t i, int64_t j) {
    const auto at = [&](const at::Tensor& x, int64_t position) {
      return ops::rotary(x, ops::rotary_table(torch::tensor({position}), frequencies), RotaryLayout::half);
    };
    return (at(q, i) * at(k, j)).sum().item<double>();
  };
  EXPECT_NEAR(score(3, 1), score(40, 38), 1e-4);
  EXPECT_GT(std::abs(score(3, 1) - score(3, 2)), 1e-3);
}

TEST(Rotary, TheScaleMultipliesWhatIsRotated) {
  const auto x = torch::randn({1, 2, 4, 8});
  const auto frequencies = ops::rotary_frequencies(8), positions = torch::arange(4);
  const auto plain = ops::rotary(x, ops::rotary_table(positions, frequencies), RotaryLayout::half);
  const auto scaled = ops::rotary(x, ops::rotary_table(positions, frequencies, 1.5), RotaryLayout::half);
  EXPECT_LT(test::max_abs_diff(scaled, plain * 1.5), 1e-6);
}

TEST(Rotary, NamesTheShapesThatDoNotFit) {
  const auto table = ops::rotary_table(torch::arange(4), ops::rotary_frequencies(8));
  try {
    ops::rotary(torch::zeros({2, 3, 5, 8}), table, RotaryLayout::half);
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(
        error.what(),
        "rotary: expected x [B, H, T, D] and float32 cos and sin [T, R/2] or [B, T, R/2] with R <= D, got x "
        "[2, 3, 5, 8], cos [4, 4], sin [4, 4]");
  }
  EXPECT_THROW(ops::rotary(torch::zeros({2, 3, 4, 6}), table, RotaryLayout::half), ShapeError);
  EXPECT_EQ(ops::rotary(torch::zeros({0, 3, 4, 8}), table, RotaryLayout::half).numel(), 0);
}

// cuda/rotary.cu's body on every thread of its grid.
template <class T, int V>
void launch_rotary(const fused::RotaryProblem& p) {
  test::emulate_alone(fused::rotary_blocks<V>(p), 1, fused::kRotaryThreads,
                      [&](const auto& team) { fused::rotary_rows<T, V>(team, p); });
}
template <class T>
void launch_rotary_vectors(const fused::RotaryProblem& p) {
  if (fused::rotary_vectors(p, fused::kVector<T>))
    launch_rotary<T, fused::kVector<T>>(p);
  else
    launch_rotary<T, 1>(p);
}
void emulate_rotary(const fused::RotaryProblem& p) {
  switch (p.dtype) {
    case fused::DType::f32:
      return launch_rotary_vectors<float>(p);
    case fused::DType::bf16:
      return launch_rotary_vectors<fused::Bf16>(p);
    case fused::DType::f16:
      return launch_rotary_vectors<fused::F16>(p);
  }
}

TEST(RotaryCuda, MatchesTheDefinitionInEveryDtype) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf})
    for (const RotaryCase& c : kRotaryCases)
      for (const bool in_place : {false, true}) {
        const auto x = make_x(c, dtype), expected = definition(x, c, table_of(c));
        const auto y = in_place ? x : torch::full_like(x, std::numeric_limits<float>::quiet_NaN());
        const auto table = table_of(c);
        emulate_rotary(ops::rotary_problem(x, y, table, c.layout, false));
        const double tolerance = dtype == at::kFloat ? 2e-6 : test::tolerance(dtype);
        EXPECT_LT(test::max_abs_diff(y.to(at::kDouble), expected), tolerance) << c.name;
        emulate_rotary(ops::rotary_problem(y, y, table, c.layout, true));
        EXPECT_LT(test::max_abs_diff(y, make_x(c, dtype)), 2 * tolerance) << c.name << ", there and back";
      }
}

TEST(RotaryCuda, TheLauncherIsExported) {
  if (!std::filesystem::exists(test::gen_binary().parent_path().parent_path() / "lib" / "libgen_cuda.so"))
    GTEST_SKIP() << "needs libgen_cuda.so, which is built only where nvcc is there";
  EXPECT_NE(cuda_symbol(fused::kRotarySymbol), nullptr);
}

}  // namespace
}  // namespace gen
