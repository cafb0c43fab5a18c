#include "gen/ops/attention.h"

#include <torch/torch.h>

#include "gen/core/error.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

using ops::AttentionOptions;
using ops::AttentionPath;

AttentionOptions by(AttentionPath path, AttentionOptions options = {}) {
  options.path = path;
  return options;
}

at::Tensor run(const test::AttentionCase& c, AttentionPath path) {
  return ops::attention(c.q, c.k, c.v, by(path, c.options));
}

std::string text(const test::AttentionCase& c) {
  const auto& o = c.options;
  return fmt::format(
      "q [{}] k [{}] causal {} top_left {} window {} {} mask {} bias {} alibi {} softcap {} dropout {}",
      fmt::join(c.q.sizes(), ","), fmt::join(c.k.sizes(), ","), o.causal,
      o.alignment == ops::Alignment::top_left, o.window_left.value_or(-1), o.window_right.value_or(-1),
      o.key_padding_mask.defined(), o.bias.defined(), o.alibi_slopes.defined(), o.softcap, o.dropout);
}

/// Gradients of sum(out * probe) by q, k, v and the bias.
std::vector<at::Tensor> gradients(test::AttentionCase c, AttentionPath path, const at::Tensor& probe) {
  std::vector<at::Tensor> inputs;
  const auto leaf = [&](at::Tensor& x) {
    x = x.detach().requires_grad_();
    inputs.push_back(x);
  };
  leaf(c.q);
  leaf(c.k);
  leaf(c.v);
  if (c.options.bias.defined()) leaf(c.options.bias);
  return torch::autograd::grad({(run(c, path) * probe.to(c.q.scalar_type())).sum()}, inputs);
}

TEST(Attention, ReferenceMatchesTheDefinitionElementByElement) {
  torch::manual_seed(0);
  std::mt19937 random(1);
  for (int i = 0; i < 40; ++i) {
    auto c = test::random_case(random, at::kDouble);
    const auto small = [](const at::Tensor& x, int64_t rows) { return x.slice(2, 0, rows); };
    c.q = small(c.q, 5);
    const int64_t lk = std::min<int64_t>(c.k.size(2), 9);
    c.k = small(c.k, lk);
    c.v = small(c.v, lk);
    if (auto& m = c.options.key_padding_mask; m.defined()) m = m.slice(1, 0, lk);
    if (auto& b = c.options.bias; b.defined())
      b = b.slice(2, 0, std::min<int64_t>(5, b.size(2))).slice(3, 0, lk);
    const auto [out, lse] = test::by_definition(c);
    const auto got = ops::attention_with_lse(c.q, c.k, c.v, by(AttentionPath::reference, c.options));
    EXPECT_LT((got.out - out).abs().max().item<double>(), 1e-6) << text(c);  // dropout's factor is a float
    EXPECT_TRUE(at::allclose(got.lse.to(at::kDouble), lse, 1e-6, 1e-6)) << text(c);
  }
}

TEST(Attention, FusedMatchesReferenceInFloat64OnRandomProblems) {
  torch::manual_seed(0);
  std::mt19937 random(2);
  double worst = 0, worst_gradient = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto c = test::random_case(random);
    const auto wide = test::in_dtype(c, at::kDouble);
    const auto got = ops::attention_with_lse(c.q, c.k, c.v, by(AttentionPath::fused, c.options));
    const auto want =
        ops::attention_with_lse(wide.q, wide.k, wide.v, by(AttentionPath::reference, wide.options));
    const double error = test::relative_error(got.out, want.out);
    EXPECT_LE(error, 3e-6) << i << ": " << text(c);
    EXPECT_TRUE(at::allclose(got.lse, want.lse, 1e-5, 1e-5)) << i << ": " << text(c);
    worst = std::max(worst, error);
    if (i % 4 != 0) continue;
    const auto probe = torch::randn(c.q.sizes(), at::kDouble);
    const auto g = gradients(c, AttentionPath::fused, probe),
               expected = gradients(wide, AttentionPath::reference, probe);
    // Gradients are differences: the error is measured against what is summed, not against a result that cancels.
    double size = 0;
    for (size_t x = 0; x < 3; ++x) size = std::max(size, expected[x].norm().item<double>());
    if (size == 0) size = 1;  // everything is hidden or dropped
    for (size_t x = 0; x < g.size(); ++x) {
      const double e = (g[x].to(at::kDouble) - expected[x]).norm().item<double>() / size;
      EXPECT_LE(e, 3e-6) << i << " gradient " << x << ": " << text(c);
      worst_gradient = std::max(worst_gradient, e);
    }
  }
  std::printf("largest relative error: %.2g, of gradients %.2g\n", worst, worst_gradient);
}

TEST(Attention, HalfPrecisionIsComputedInFloat) {
  torch::manual_seed(4);
  const auto q = torch::randn({2, 3, 7, 16}).to(at::kHalf), k = torch::randn({2, 3, 9, 16}).to(at::kHalf);
  const auto out = ops::attention(q, k, k);
  EXPECT_EQ(out.scalar_type(), at::kHalf);
  EXPECT_LT(
      test::relative_error(out, ops::attention(q.to(at::kDouble), k.to(at::kDouble), k.to(at::kDouble))),
      1e-3);
}

TEST(Attention, GradientsOfTheReferenceMatchFiniteDifferences) {
  torch::manual_seed(5);
  std::mt19937 random(5);
  for (int i = 0; i < 12; ++i) {
    auto c = test::random_case(random, at::kDouble);
    c.q = c.q.slice(2, 0, 4).slice(3, 0, 5);
    c.k = c.k.slice(2, 0, 6).slice(3, 0, 5);
    c.v = c.v.slice(2, 0, 6).slice(3, 0, 5);
    const int64_t lk = c.k.size(2);
    if (auto& m = c.options.key_padding_mask; m.defined()) m = m.slice(1, 0, lk);
    if (auto& b = c.options.bias; b.defined())
      b = b.slice(2, 0, std::min<int64_t>(4, b.size(2))).slice(3, 0, std::min<int64_t>(lk, b.size(3)));
    const auto probe = torch::randn(c.q.sizes(), at::kDouble);
    const auto g = gradients(c, AttentionPath::reference, probe);
    const auto value = [&] { return (run(c, AttentionPath::reference) * probe).sum().item<double>(); };
    std::vector<at::Tensor*> inputs{&c.q, &c.k, &c.v};
    if (c.options.bias.defined()) inputs.push_back(&c.options.bias);
    for (size_t x = 0; x < inputs.size(); ++x) {
      const auto direction = torch::randn(inputs[x]->sizes(), at::kDouble);
      const at::Tensor at_zero = *inputs[x];
      constexpr double kStep = 1e-5;
      *inputs[x] = at_zero + kStep * direction;
      const double above = value();
      *inputs[x] = at_zero - kStep * direction;
      const double below = value();
      *inputs[x] = at_zero;
      EXPECT_NEAR((above - below) / (2 * kStep), (g[x] * direction).sum().item<double>(), 1e-6)
          << x << ": " << text(c);
    }
  }
}

TEST(Attention, PartsOfTheKeysCombineByTheirLogSumExp) {
  torch::manual_seed(6);
  const auto q = torch::randn({2, 3, 50, 24}), k = torch::randn({2, 3, 130, 24}),
             v = torch::randn({2, 3, 130, 24});
  const auto whole = ops::attention_with_lse(q, k, v);
  const auto a = ops::attention_with_lse(q, k.slice(2, 0, 41), v.slice(2, 0, 41));
  const auto b = ops::attention_with_lse(q, k.slice(2, 41), v.slice(2, 41));
  const auto lse = at::logaddexp(a.lse, b.lse);
  const auto weight = [&](const at::Tensor& part) { return at::exp(part - lse).unsqueeze(3); };
  EXPECT_LT(test::max_abs_diff(a.out * weight(a.lse) + b.out * weight(b.lse), whole.out), 1e-6);
  EXPECT_LT(test::max_abs_diff(lse, whole.lse), 1e-5);
}

TEST(Attention, TheOrderOfTheKeysDoesNotMatter) {
  torch::manual_seed(7);
  const auto q = torch::randn({1, 2, 9, 40}), k = torch::randn({1, 2, 77, 40}),
             v = torch::randn({1, 2, 77, 40});
  const auto order = at::randperm(77);
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k.index_select(2, order), v.index_select(2, order)),
                               ops::attention(q, k, v)),
            1e-6);
}

TEST(Attention, CausalIsAnExplicitBias) {
  torch::manual_seed(8);
  for (const auto& [lq, lk] : {std::pair{70, 70}, {20, 90}, {90, 20}}) {
    const auto q = torch::randn({2, 2, lq, 16}), k = torch::randn({2, 2, lk, 16}),
               v = torch::randn({2, 2, lk, 16});
    for (const auto alignment : {ops::Alignment::top_left, ops::Alignment::bottom_right}) {
      const int64_t diagonal = alignment == ops::Alignment::bottom_right ? lk - lq : 0;
      const auto hidden = at::ones({lq, lk}).triu(diagonal + 1) * -1e30;
      const auto rows = at::arange(lq).add(diagonal).ge(0).nonzero().flatten();  // rows that see a key
      EXPECT_LT(test::max_abs_diff(
                    ops::attention(q, k, v, {.causal = true, .alignment = alignment}).index_select(2, rows),
                    ops::attention(q, k, v, {.bias = hidden}).index_select(2, rows)),
                1e-6);
    }
  }
}

TEST(Attention, SharedKeyHeadsAreRepeatedHeads) {
  torch::manual_seed(9);
  const auto q = torch::randn({2, 6, 30, 32}), k = torch::randn({2, 2, 40, 32}),
             v = torch::randn({2, 2, 40, 32});
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k, v),
                               ops::attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1))),
            1e-6);
}

TEST(Attention, OutputsAreAveragesOfTheValues) {
  torch::manual_seed(10);
  const auto q = torch::randn({1, 3, 100, 64}), k = torch::randn({1, 3, 300, 64});
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k, at::ones_like(k), {.causal = true}), at::ones_like(q)),
            1e-6);
}

TEST(Attention, RowsThatSeeNothingAreZero) {
  const auto q = torch::randn({1, 1, 5, 8}).requires_grad_(), k = torch::randn({1, 1, 3, 8}).requires_grad_();
  const auto r =
      ops::attention_with_lse(q, k, k, {.causal = true});  // bottom right: rows 0 and 1 see nothing
  EXPECT_TRUE(r.out.slice(2, 0, 2).eq(0).all().item<bool>());
  EXPECT_TRUE(r.lse.slice(2, 0, 2).isneginf().all().item<bool>());
  EXPECT_TRUE(r.lse.slice(2, 2).isfinite().all().item<bool>());
  const auto g = torch::autograd::grad({r.out.sum()}, {q, k});
  EXPECT_TRUE(g[0].isfinite().all().item<bool>());
  EXPECT_TRUE(g[1].isfinite().all().item<bool>());
}

TEST(Attention, EmptyBatchesAndSingleKeysWork) {
  EXPECT_EQ(ops::attention(at::zeros({0, 2, 3, 4}), at::zeros({0, 2, 5, 4}), at::zeros({0, 2, 5, 4})).sizes(),
            at::IntArrayRef({0, 2, 3, 4}));
  const auto q = torch::randn({1, 2, 3, 4}), k = torch::randn({1, 2, 1, 4});
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k, k), k.expand({1, 2, 3, 4})), 1e-6);
}

TEST(Attention, DropoutDropsItsShareAndIsTheSameOnEveryPath) {
  torch::manual_seed(14);
  const auto q = torch::randn({2, 4, 100, 8}), k = torch::randn({2, 4, 100, 8});
  const AttentionOptions options{.dropout = 0.25, .seed = 11, .offset = 2};
  // The weights themselves, by values that are unit vectors, 8 keys at a time.
  int64_t dropped = 0;
  for (int64_t j = 0; j < 96; j += 8) {
    auto v = at::zeros({2, 4, 100, 8});
    for (int64_t d = 0; d < 8; ++d) v.select(2, j + d).select(2, d).fill_(1);
    dropped += ops::attention(q, k, v, options).eq(0).sum().item<int64_t>();
  }
  EXPECT_NEAR(static_cast<double>(dropped) / (2 * 4 * 100 * 96), 0.25, 0.01);
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k, k, options),
                               ops::attention(q, k, k, by(AttentionPath::reference, options))),
            1e-5);
  AttentionOptions other = options;
  other.offset = 3;
  EXPECT_GT(test::max_abs_diff(ops::attention(q, k, k, options), ops::attention(q, k, k, other)), 1e-2);
}

TEST(Attention, ResultsAreTheSameBitsAgainAndForAnyNumberOfThreads) {
  torch::manual_seed(15);
  for (const int64_t lk : {170, 300}) {
    test::AttentionCase c{torch::randn({2, 3, 150, 40}),
                          torch::randn({2, 3, lk, 40}),
                          torch::randn({2, 3, lk, 40}),
                          {.bias = torch::randn({1, 3, 1, lk})}};
    const auto probe = torch::randn(c.q.sizes());
    const auto all = [&] {
      auto list = gradients(c, AttentionPath::fused, probe);
      list.push_back(run(c, AttentionPath::fused));
      return list;
    };
    const int threads = at::get_num_threads();
    const auto first = all(), again = all();
    at::set_num_threads(1);
    const auto single = all();
    at::set_num_threads(threads);
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_TRUE(torch::equal(first[i], again[i])) << lk << " " << i;
      EXPECT_TRUE(torch::equal(first[i], single[i])) << lk << " " << i;
    }
  }
}

TEST(Attention, FusedRefusesASecondDerivativeAndReferenceGivesIt) {
  torch::manual_seed(16);
  const auto q = torch::randn({1, 1, 3, 4}).requires_grad_();
  const auto second = [&](AttentionPath path) {
    const auto y = ops::attention(q, q, q, by(path)).square().sum();
    const auto g = torch::autograd::grad({y}, {q}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
    return torch::autograd::grad({g.square().sum()}, {q})[0];
  };
  EXPECT_TRUE(second(AttentionPath::reference).isfinite().all().item<bool>());
  try {
    second(AttentionPath::fused);
    FAIL() << "expected an error";
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("\"reference\""), std::string::npos) << e.what();
  }
}

TEST(Attention, TorchsPathAgrees) {
  torch::manual_seed(17);
  const auto q = torch::randn({1, 2, 20, 8}), k = torch::randn({1, 2, 30, 8});
  EXPECT_LT(test::max_abs_diff(ops::attention(q, k, k, by(AttentionPath::sdpa)),
                               ops::attention(q, k, k, by(AttentionPath::fused))),
            1e-5);
}

TEST(Attention, ARowWhoseBiasHidesEverythingIsZeroOnEveryPath) {
  torch::manual_seed(18);
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const auto path : {AttentionPath::fused, AttentionPath::sdpa, AttentionPath::reference}) {
      test::AttentionCase c{torch::randn({1, 2, 5, 8}).to(dtype),
                            torch::randn({1, 2, 9, 8}).to(dtype),
                            torch::randn({1, 2, 9, 8}).to(dtype),
                            {.bias = torch::randn({1, 2, 5, 9}).to(dtype)}};
      c.options.bias.select(2, 3).fill_(-INFINITY);
      c.options.bias.select(3, 1).fill_(-INFINITY);
      const auto out = run(c, path);
      EXPECT_TRUE(out.select(2, 3).eq(0).all().item<bool>());
      EXPECT_TRUE(out.isfinite().all().item<bool>());
      for (const auto& g : gradients(c, path, torch::randn(c.q.sizes())))
        EXPECT_TRUE(g.isfinite().all().item<bool>());
    }
}

}  // namespace
}  // namespace gen
