// Which path `auto` takes.
#include <torch/torch.h>

#include "gen/ops/attention.h"
#include "ops/attention/sdpa.h"
#include "support/support.h"

namespace gen {
namespace {

bool torchs(const at::Tensor& q, const at::Tensor& k, const ops::AttentionOptions& options, const char* set) {
  return ops::sdpa_is_preferred({q, k, k, options, {}, {}}, set);
}

TEST(AttentionPath, TorchsIsTakenForLongPlainAttentionWithoutAvx512) {
  const auto x = at::zeros({1, 2, 512, 64});
  EXPECT_TRUE(torchs(x, x, {}, "avx2"));
  EXPECT_TRUE(torchs(x, x, {}, "baseline"));
  EXPECT_FALSE(torchs(x, x, {}, "avx512"));
  EXPECT_FALSE(torchs(x, x, {}, "avx512_bf16"));
}

TEST(AttentionPath, OursIsTakenForAllElse) {
  const auto x = at::zeros({1, 2, 512, 64});
  EXPECT_FALSE(torchs(x.slice(2, 0, 511), x, {}, "avx2"));
  EXPECT_FALSE(torchs(x, x.slice(2, 0, 511), {}, "avx2"));
  EXPECT_FALSE(torchs(x.slice(3, 0, 40), x.slice(3, 0, 40), {}, "avx2"));
  EXPECT_FALSE(torchs(x, x, {.causal = true}, "avx2"));
  EXPECT_FALSE(torchs(x, x, {.bias = at::zeros({1})}, "avx2"));
  EXPECT_FALSE(torchs(x, x, {.softcap = 1}, "avx2"));  // torch's has none
  const auto leaf = at::zeros_like(x).requires_grad_();
  EXPECT_FALSE(torchs(leaf, x, {}, "avx2"));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(torchs(leaf, x, {}, "avx2"));
}

TEST(AttentionPath, ALogSumExpIsGivenForWhatOursHasNoKernelsFor) {
  const auto wide = torch::randn({1, 1, 3, 300});
  const auto r = ops::attention_with_lse(wide, wide, wide);
  EXPECT_LT(
      test::max_abs_diff(r.lse, at::logsumexp(at::matmul(wide, wide.transpose(2, 3)) / std::sqrt(300.0), 3)),
      1e-5);
}

}  // namespace
}  // namespace gen
