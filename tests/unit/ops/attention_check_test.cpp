// The path "check": fused beside reference.
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/ops/attention.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

using ops::AttentionPath;

TEST(AttentionCheck, GivesWhatFusedGivesAndSaysHowLargeEachDifferenceIs) {
  torch::manual_seed(0);
  const auto leaf = [](at::IntArrayRef sizes) { return torch::randn(sizes).requires_grad_(); };
  const auto q = leaf({1, 2, 20, 8}), k = leaf({1, 2, 30, 8}), v = leaf({1, 2, 30, 8}),
             bias = leaf({2, 1, 30});
  const auto all = [&](AttentionPath path) {
    const auto r = ops::attention_with_lse(q, k, v, {.causal = true, .bias = bias, .path = path});
    auto list = torch::autograd::grad({r.out.square().sum()}, {q, k, v, bias});
    list.push_back(r.out);
    list.push_back(r.lse);
    return list;
  };
  testing::internal::CaptureStderr();
  const auto checked = all(AttentionPath::check);
  const auto log = testing::internal::GetCapturedStderr();
  const auto fused = all(AttentionPath::fused);
  for (size_t i = 0; i < fused.size(); ++i) EXPECT_TRUE(torch::equal(checked[i], fused[i])) << i;
  for (const char* part :
       {"the result of fused differs from reference by at most out ", ", lse ",
        "the gradient of fused differs from reference by at most q ", ", k ", ", v ", ", bias "})
    EXPECT_NE(log.find(part), std::string::npos) << part << ": " << log;
}

TEST(AttentionCheck, AllowsEveryRandomProblemOfEveryDtype) {
  torch::manual_seed(1);
  std::mt19937 random(1);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 60; ++i)
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      auto c = test::random_case(random, dtype);
      c.options.path = AttentionPath::check;
      for (auto* x : {&c.q, &c.k, &c.v}) *x = x->detach().requires_grad_();
      ops::attention(c.q, c.k, c.v, c.options).sum().backward();
    }
  testing::internal::GetCapturedStderr();
}

TEST(AttentionCheck, ThrowsWhereTheyDiffer) {
  torch::manual_seed(2);
  // Scores of 1e9 are rounded to multiples of 64, by each path in its own order of summing.
  const auto q = 1e4 * torch::randn({1, 1, 8, 64}), v = torch::randn({1, 1, 50, 64}),
             k = 1e4 * torch::randn({1, 1, 1, 64}) + 1e-2 * torch::randn({1, 1, 50, 64});
  testing::internal::CaptureStderr();
  try {
    ops::attention(q, k, v, {.scale = 1, .path = AttentionPath::check});
    testing::internal::GetCapturedStderr();
    FAIL() << "expected an error";
  } catch (const Error& e) {
    testing::internal::GetCapturedStderr();
    EXPECT_NE(std::string(e.what()).find(
                  "attention: the result of fused differs from reference beyond rounding: out "),
              std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace gen
