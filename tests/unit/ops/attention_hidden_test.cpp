// What may lie in keys and values that no query sees.
#include <torch/torch.h>

#include <cmath>

#include "gen/ops/attention.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

using ops::AttentionPath;

/// out, lse and the gradients of sum(out) by q, k and v.
std::vector<at::Tensor> everything(const test::AttentionCase& c) {
  const auto leaf = [](const at::Tensor& x) { return x.detach().clone().requires_grad_(); };
  const auto q = leaf(c.q), k = leaf(c.k), v = leaf(c.v);
  const auto r = ops::attention_with_lse(q, k, v, c.options);
  auto all = torch::autograd::grad({r.out.sum()}, {q, k, v});
  all.push_back(r.out);
  all.push_back(r.lse);
  return all;
}

/// x [B, H, L, D] with `value` where seen [B, L] is false.
at::Tensor hidden_as(const at::Tensor& x, const at::Tensor& seen, double value) {
  return x.masked_fill(seen.logical_not().unsqueeze(1).unsqueeze(3), value);
}

TEST(AttentionHidden, WhatThePaddingMaskHidesMayBeNaN) {
  torch::manual_seed(0);
  for (const auto path : {AttentionPath::fused, AttentionPath::reference})
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf})
      for (const int64_t lq : {1, 7, 70, 300}) {
        const auto seen = at::arange(280).expand({2, 280}).lt(at::tensor({91, 260}).unsqueeze(1)).clone();
        seen[1][3] = false;
        test::AttentionCase c{torch::randn({2, 4, lq, 24}).to(dtype),
                              torch::randn({2, 2, 280, 24}).to(dtype),
                              torch::randn({2, 2, 280, 24}).to(dtype),
                              {.key_padding_mask = seen, .path = path}};
        const auto k = c.k, v = c.v;
        const auto with = [&](double value) {
          c.k = hidden_as(k, seen, value);
          c.v = hidden_as(v, seen, value);
          return everything(c);
        };
        const auto clean = with(0), poisoned = with(NAN);
        for (size_t i = 0; i < clean.size(); ++i)
          EXPECT_TRUE(torch::equal(poisoned[i], clean[i])) << lq << " " << toString(dtype) << " " << i;
      }
}

TEST(AttentionHidden, WhatLiesPastACachesLengthMayBeNaN) {
  torch::manual_seed(1);
  for (const int64_t lq : {1, 40}) {
    auto cache = ops::make_key_value_cache(2, 2, 700, 16, at::kFloat);
    cache.k.fill_(NAN);
    cache.v.fill_(NAN);
    const auto past = torch::randn({2, 2, 600, 16});
    for (const auto& [b, length] : {std::pair{0, 600}, {1, 15}})
      for (const auto* x : {&cache.k, &cache.v})
        (*x)[b].slice(1, 0, length).copy_(past[b].slice(1, 0, length));
    cache.lengths.copy_(at::tensor({600, 15}, at::kInt));
    const auto q = torch::randn({2, 4, lq, 16}), k = torch::randn({2, 2, lq, 16});
    const auto out = ops::cached_attention(q, k, k, cache, {.causal = true});
    for (const auto& [b, length] : {std::pair{0, 600}, {1, 15}}) {
      const auto keys = at::cat({past.slice(0, b, b + 1).slice(2, 0, length), k.slice(0, b, b + 1)}, 2);
      EXPECT_LT(test::max_abs_diff(out.slice(0, b, b + 1),
                                   ops::attention(q.slice(0, b, b + 1), keys, keys,
                                                  {.causal = true, .path = AttentionPath::reference})),
                1e-5);
    }
  }
}

TEST(AttentionHidden, NaNInOneSequenceOfAPackedBatchStaysThere) {
  torch::manual_seed(2);
  const auto cu_q = at::tensor({0, 1, 60, 130}, at::kInt), cu_k = at::tensor({0, 70, 370, 399}, at::kInt);
  const ops::PackedSequences packed{cu_q, cu_k, 70, 300};
  const auto q = torch::randn({130, 2, 24}), k = torch::randn({399, 2, 24}), v = torch::randn({399, 2, 24});
  auto bad_k = k.clone(), bad_v = v.clone();
  bad_k.slice(0, 70, 370).fill_(NAN);
  bad_v.slice(0, 70, 370).fill_(NAN);
  const auto all = [&](const at::Tensor& keys, const at::Tensor& values) {
    const auto q_leaf = q.clone().requires_grad_();
    const auto k_leaf = keys.clone().requires_grad_(), v_leaf = values.clone().requires_grad_();
    const auto out = ops::packed_attention(q_leaf, k_leaf, v_leaf, packed).out;
    auto list = torch::autograd::grad({out.sum()}, {k_leaf, v_leaf, q_leaf});
    list.push_back(out);
    return list;
  };
  const auto clean = all(k, v), poisoned = all(bad_k, bad_v);
  for (size_t i = 0; i < clean.size(); ++i) {
    const auto cu = (i < 2 ? cu_k : cu_q).data_ptr<int32_t>();
    for (const int b : {0, 2}) {
      const auto one = [&](const at::Tensor& x) { return x.slice(0, cu[b], cu[b + 1]); };
      EXPECT_TRUE(torch::equal(one(poisoned[i]), one(clean[i]))) << i << " sequence " << b;
    }
    EXPECT_TRUE(poisoned[i].slice(0, cu[1], cu[2]).isnan().any().item<bool>()) << i;
  }
}

}  // namespace
}  // namespace gen
