// Few queries to many keys: the kernels that read keys and values in place, in parts.
#include <torch/torch.h>

#include "gen/ops/attention.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

using ops::AttentionPath;

/// A random problem whose keys are several parts.
test::AttentionCase long_case(std::mt19937& random, at::ScalarType dtype) {
  const auto pick = [&](std::initializer_list<int64_t> values) {
    return values.begin()[random() % values.size()];
  };
  const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  const int64_t B = pick({1, 2}), kv_heads = pick({1, 2}), heads = kv_heads * pick({1, 3, 4});
  const int64_t lq = pick({1, 1, 2, 5, 8, 16}), lk = pick({500, 512, 513, 1024, 1100, 1601}),
                D = pick({1, 20, 40, 64, 80, 130});
  test::AttentionCase c{test::random_heads(random, {B, heads, lq, D}, dtype),
                        test::random_heads(random, {B, kv_heads, lk, D}, dtype),
                        test::random_heads(random, {B, kv_heads, lk, D}, dtype),
                        {}};
  auto& o = c.options;
  o.causal = chance(2);
  if (chance(4)) o.alignment = ops::Alignment::top_left;
  if (chance(4)) o.window_left = pick({0, 3, 300, 700});
  if (chance(3))
    o.key_padding_mask = chance(2) ? torch::rand({B, lk}).gt(0.3) : at::arange(lk).lt(lk / 2).expand({B, lk});
  if (chance(4)) o.bias = torch::randn({B, 1, lq, lk}, dtype);
  if (chance(4)) o.alibi_slopes = 0.1 * torch::rand({heads});
  if (chance(5)) o.softcap = 2.5;
  if (chance(4)) o.dropout = 0.3;
  return c;
}

/// out, lse and the gradients of sum(out * probe) by q, k and v.
std::vector<at::Tensor> everything(test::AttentionCase c, const at::Tensor& probe) {
  for (auto* x : {&c.q, &c.k, &c.v}) *x = x->detach().requires_grad_();
  const auto r = ops::attention_with_lse(c.q, c.k, c.v, c.options);
  auto list = torch::autograd::grad({r.out}, {c.q, c.k, c.v}, {probe.to(c.q.scalar_type())});
  list.insert(list.begin(), {r.out.detach(), r.lse});
  return list;
}

TEST(AttentionDecoding, MatchesTheReferenceInFloat64OnRandomProblems) {
  torch::manual_seed(0);
  std::mt19937 random(0);
  for (int i = 0; i < 150; ++i) {
    const auto c = long_case(random, at::kFloat);
    auto wide = test::in_dtype(c, at::kDouble);
    wide.options.path = AttentionPath::reference;
    const auto probe = torch::randn(c.q.sizes());
    const auto got = everything(c, probe), want = everything(wide, probe);
    EXPECT_LE(test::relative_error(got[0], want[0]), 1e-6) << i;
    EXPECT_TRUE(at::allclose(got[1], want[1], 1e-5, 1e-5)) << i;
    double size = 0;
    for (size_t x = 2; x < 5; ++x) size = std::max(size, want[x].norm().item<double>());
    for (size_t x = 2; x < 5; ++x)
      EXPECT_LE((got[x].to(at::kDouble) - want[x]).norm().item<double>(), 3e-6 * size)
          << i << " gradient " << x - 2;
  }
}

TEST(AttentionDecoding, HalfPrecisionsAreReadExactlyAndRoundedOnce) {
  torch::manual_seed(1);
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i)
    for (const auto dtype : {at::kBFloat16, at::kHalf}) {
      const auto c = long_case(random, dtype);
      const auto in_float = test::in_dtype(c, at::kFloat);
      const auto got = ops::attention(c.q, c.k, c.v, c.options);
      const auto want = ops::attention(in_float.q, in_float.k, in_float.v, in_float.options);
      EXPECT_TRUE(torch::equal(got, want.to(dtype))) << i << " " << toString(dtype);
    }
}

TEST(AttentionDecoding, IsTheSameBitsForAnyNumberOfThreads) {
  torch::manual_seed(2);
  const test::AttentionCase c{
      torch::randn({1, 8, 2, 64}), torch::randn({1, 2, 5000, 64}), torch::randn({1, 2, 5000, 64}), {}};
  const auto probe = torch::randn(c.q.sizes());
  const int threads = at::get_num_threads();
  const auto first = everything(c, probe);
  at::set_num_threads(1);
  const auto single = everything(c, probe);
  at::set_num_threads(threads);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(torch::equal(first[i], single[i])) << i;
}

}  // namespace
}  // namespace gen
