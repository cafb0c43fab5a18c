// Attention over sequences of several lengths: packed batches and a cache of keys and values.
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/ops/attention.h"
#include "support/support.h"

namespace gen {
namespace {

using ops::AttentionOptions;
using ops::AttentionPath;

TEST(Attention, APackedBatchIsItsSequencesOneByOne) {
  torch::manual_seed(11);
  const std::vector<int32_t> cu_q{0, 5, 5, 60, 61}, cu_k{0, 9, 12, 80, 83};
  const auto q = torch::randn({61, 4, 24}).requires_grad_(), k = torch::randn({83, 2, 24}).requires_grad_(),
             v = torch::randn({83, 2, 24}).requires_grad_();
  const ops::PackedSequences packed{at::tensor(cu_q, at::kInt), at::tensor(cu_k, at::kInt), 55, 68};
  const AttentionOptions options{.causal = true, .dropout = 0.2, .seed = 3};
  AttentionOptions reference_options = options;
  reference_options.path = AttentionPath::reference;
  const auto result = ops::packed_attention(q, k, v, packed, options);
  const auto reference = ops::packed_attention(q, k, v, packed, reference_options);
  EXPECT_LT(test::max_abs_diff(result.out, reference.out), 1e-5);
  const auto probe = torch::randn_like(q);
  const auto got = torch::autograd::grad({(result.out * probe).sum()}, {q, k, v});
  const auto want = torch::autograd::grad({(reference.out * probe).sum()}, {q, k, v});
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(test::max_abs_diff(got[i], want[i]), 1e-5) << i;
  const auto heads = [](const at::Tensor& x, int64_t begin, int64_t end) {
    return x.detach().slice(0, begin, end).transpose(0, 1).unsqueeze(0);
  };
  const auto plain = ops::packed_attention(q, k, v, packed, {.causal = true});
  for (size_t b = 0; b + 1 < cu_q.size(); ++b) {
    if (cu_q[b] == cu_q[b + 1]) continue;
    const auto one = ops::attention(heads(q, cu_q[b], cu_q[b + 1]), heads(k, cu_k[b], cu_k[b + 1]),
                                    heads(v, cu_k[b], cu_k[b + 1]), {.causal = true});
    EXPECT_TRUE(torch::equal(heads(plain.out, cu_q[b], cu_q[b + 1]), one)) << b;
  }
}

TEST(Attention, DecodingWithACacheIsCausalAttention) {
  torch::manual_seed(12);
  const int64_t L = 21;
  const auto q = torch::randn({2, 4, L, 16}), k = torch::randn({2, 2, L, 16}),
             v = torch::randn({2, 2, L, 16});
  const auto full = ops::attention(q, k, v, {.causal = true});
  auto cache = ops::make_key_value_cache(2, 2, L, 16, q.options());
  const auto step = [&](int64_t begin, int64_t end) {
    const auto part = [&](const at::Tensor& x) { return x.slice(2, begin, end); };
    return ops::cached_attention(part(q), part(k), part(v), cache, {.causal = true});
  };
  std::vector<at::Tensor> outs{step(0, 8)};  // the prompt, then token by token
  for (int64_t i = 8; i < L; ++i) outs.push_back(step(i, i + 1));
  EXPECT_LT(test::max_abs_diff(at::cat(outs, 2), full), 1e-6);
  EXPECT_THROW(step(0, 1), ShapeError);  // no room left
}

TEST(Attention, ACacheHoldsSequencesOfDifferentLengths) {
  torch::manual_seed(13);
  auto cache = ops::make_key_value_cache(2, 1, 16, 8, at::kFloat);
  const auto past = torch::randn({2, 1, 16, 8});
  cache.k.copy_(past);
  cache.v.copy_(past);
  cache.lengths.copy_(at::tensor({3, 9}, at::kInt));
  const auto q = torch::randn({2, 1, 1, 8}), k = torch::randn({2, 1, 1, 8});
  const auto out = ops::cached_attention(q, k, k, cache, {.causal = true});
  for (const auto& [b, length] : {std::pair{0, 3}, {1, 9}}) {
    const auto keys = at::cat({past.slice(0, b, b + 1).slice(2, 0, length), k.slice(0, b, b + 1)}, 2);
    EXPECT_LT(test::max_abs_diff(out.slice(0, b, b + 1), ops::attention(q.slice(0, b, b + 1), keys, keys)),
              1e-6);
  }
}

TEST(Attention, OffsetsThatDoNotCoverThePackedRowsAreRefused) {
  const auto x = at::zeros({3, 1, 4});
  try {
    ops::packed_attention(x, x, x, {at::tensor({0, 2}, at::kInt), at::tensor({0, 3}, at::kInt), 2, 3});
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "attention: cu_seqlens_q: expected offsets that rise from 0 to 3, got [0, 2]");
  }
}

TEST(Attention, ASequenceLongerThanTheLongestIsRefused) {
  const auto x = at::zeros({3, 1, 4});
  const auto cu = at::tensor({0, 3}, at::kInt);
  try {
    ops::packed_attention(x, x, x, {cu, cu, 2, 3});
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(),
                 "attention: cu_seqlens_q: expected no sequence longer than the 2 that is given as the "
                 "longest, got 3");
  }
}

}  // namespace
}  // namespace gen
