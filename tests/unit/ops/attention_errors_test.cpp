// What attention refuses, and how it says so.
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/ops/attention.h"
#include "ops/attention/call.h"
#include "support/support.h"

namespace gen {
namespace {

using ops::AttentionOptions;
using ops::AttentionPath;

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "none";
}

TEST(AttentionErrors, SayWhichConditionFailed) {
  const auto q = at::zeros({1, 2, 3, 4}), k = at::zeros({1, 2, 5, 4});
  const auto with = [&](const AttentionOptions& o) { return error_of([&] { ops::attention(q, k, k, o); }); };
  EXPECT_EQ(error_of([&] { ops::attention(q, at::zeros({1, 2, 5, 3}), k); }),
            "attention: expected q [B, H, Lq, D] and k, v [B, Hkv, Lk, D] with Hkv dividing H, got q [1, 2, "
            "3, 4], k [1, 2, "
            "5, 3], v [1, 2, 5, 4]");
  EXPECT_EQ(with({.key_padding_mask = at::ones({1, 4}, at::kBool)}),
            "attention: key_padding_mask: expected bool [1, 5] on cpu, got Bool [1, 4] on cpu");
  EXPECT_EQ(with({.bias = at::ones({3, 4})}),
            "attention: bias: expected a floating tensor that broadcasts to [1, 2, 3, 5] on cpu, got Float "
            "[3, 4] on cpu");
  EXPECT_EQ(with({.dropout = 1}), "attention: dropout: expected a probability in [0, 1), got 1");
  EXPECT_EQ(with({.softcap = 1, .path = AttentionPath::sdpa}),
            "attention: the sdpa path cannot do this: expected no softcap, got one");
  EXPECT_EQ(with({.key_padding_mask = at::ones({1, 5}, at::kBool), .path = AttentionPath::sdpa}),
            "attention: the sdpa path cannot do this: expected no key_padding_mask (a row that sees no key "
            "is not 0 there), "
            "got one");
  const auto wide = at::zeros({1, 1, 2, 300});
  EXPECT_EQ(error_of([&] { ops::attention(wide, wide, wide, {.path = AttentionPath::fused}); }),
            "attention: the fused path cannot do this: expected a head size D in [1, 256], got 300");
  EXPECT_EQ(ops::attention(wide, wide, wide).sizes(), wide.sizes());  // auto takes another path
}

TEST(AttentionErrors, NameTheOptionAndItsRange) {
  const auto q = at::zeros({1, 2, 3, 4}), k = at::zeros({1, 2, 5, 4});
  const auto with = [&](const AttentionOptions& o) { return error_of([&] { ops::attention(q, k, k, o); }); };
  EXPECT_EQ(with({.scale = INFINITY}), "attention: scale: expected a finite number, got inf");
  EXPECT_EQ(with({.window_left = -1}), "attention: window_left: expected a number of keys >= 0, got -1");
  EXPECT_EQ(with({.window_right = -2}), "attention: window_right: expected a number of keys >= 0, got -2");
  EXPECT_EQ(with({.softcap = -1}), "attention: softcap: expected a number >= 0, got -1");
  EXPECT_EQ(with({.offset = -1}), "attention: offset: expected an integer in [0, 2^32), got -1");
  EXPECT_EQ(with({.alibi_slopes = at::ones({3})}),
            "attention: alibi_slopes: expected floating [2] or [1, 2] on cpu, got Float [3] on cpu");
  EXPECT_EQ(with({.alibi_slopes = at::ones({2}, at::kLong)}),
            "attention: alibi_slopes: expected floating [2] or [1, 2] on cpu, got Long [2] on cpu");
  EXPECT_EQ(with({.alibi_slopes = at::ones({2}).requires_grad_()}),
            "attention: alibi_slopes: expected constants, got a tensor that requires a gradient");
}

TEST(AttentionErrors, NameTheDtypes) {
  const auto q = at::zeros({1, 2, 3, 4}), ints = at::zeros({1, 2, 3, 4}, at::kInt);
  EXPECT_EQ(error_of([&] { ops::attention(q, q.to(at::kHalf), q); }),
            "attention: expected q, k and v of one floating dtype on one device, got Float on cpu, Half on "
            "cpu, Float "
            "on cpu");
  EXPECT_EQ(error_of([&] { ops::attention(ints, ints, ints); }),
            "attention: expected q, k and v of one floating dtype on one device, got Int on cpu, Int on cpu, "
            "Int on "
            "cpu");
  const auto wide = q.to(at::kDouble);
  EXPECT_EQ(error_of([&] { ops::attention(wide, wide, wide, {.path = AttentionPath::fused}); }),
            "attention: the fused path cannot do this: expected float32, bfloat16 or float16, got Double");
}

TEST(AttentionErrors, TorchsPathNamesWhatItLacks) {
  const auto q = at::zeros({1, 2, 3, 4}), k = at::zeros({1, 2, 5, 4});
  const auto with = [&](AttentionOptions o) {
    o.path = AttentionPath::sdpa;
    return error_of([&] { ops::attention(q, k, k, o); });
  };
  const std::string refusal = "attention: the sdpa path cannot do this: ";
  EXPECT_EQ(with({.dropout = 0.1}), refusal + "expected no dropout (its mask is not ours), got some");
  EXPECT_EQ(with({.alibi_slopes = at::ones({2})}), refusal + "expected no alibi_slopes, got some");
  EXPECT_EQ(with({.window_left = 2}), refusal + "expected no window, got one");
  EXPECT_EQ(with({.causal = true}),
            refusal + "expected causal attention aligned top left where Lq and Lk differ, got bottom right");
  EXPECT_EQ(with({.causal = true, .alignment = ops::Alignment::top_left, .bias = at::zeros({3, 5})}),
            refusal + "expected causal or bias, got both");
  EXPECT_EQ(error_of([&] { ops::attention_with_lse(q, k, k, {.path = AttentionPath::sdpa}); }),
            refusal + "it gives no log-sum-exp");
}

TEST(AttentionErrors, OfACacheSayWhatDoesNotFit) {
  auto cache = ops::make_key_value_cache(1, 2, 4, 8, at::kFloat);
  const auto rows = [](int64_t count) { return at::zeros({1, 2, count, 8}); };
  EXPECT_EQ(error_of([&] { ops::cached_attention(rows(5), rows(5), rows(5), cache); }),
            "cached_attention: expected room for 5 more tokens, got 0 of 4 in use");
  EXPECT_EQ(
      error_of([&] { ops::cached_attention(rows(2), rows(1), rows(1), cache); }),
      "cached_attention: expected k, v [1, 2, L, 8] and q of at most L rows, got k [1, 2, 1, 8], v [1, 2, 1, "
      "8], q [1, 2, 2, 8]");
  EXPECT_EQ(
      error_of([&] {
        ops::cached_attention(rows(1), rows(1), rows(1), cache,
                              {.key_padding_mask = at::ones({1, 1}, at::kBool)});
      }),
      "attention: key_padding_mask: expected none, as lengths already say which keys there are, got one");
}

TEST(AttentionErrors, OfKeysInUseSayTheirRange) {
  const auto q = at::zeros({2, 1, 1, 4}), k = at::zeros({2, 1, 5, 4});
  const auto with = [&](const at::Tensor& used) {
    return error_of([&] { ops::check({q, k, k, {}, {}, used}); });
  };
  EXPECT_EQ(with(at::tensor({3, 6}, at::kInt)),
            "attention: used_k: expected numbers of keys in [0, 5], got 6");
  EXPECT_EQ(with(at::tensor({3, -1}, at::kInt)),
            "attention: used_k: expected numbers of keys in [0, 5], got -1");
  EXPECT_EQ(with(at::tensor({3, 4}, at::kLong)),
            "attention: used_k: expected int32 [2] on cpu and no packed batch, got Long [2] on cpu");
  EXPECT_EQ(with(at::tensor({3}, at::kInt)),
            "attention: used_k: expected int32 [2] on cpu and no packed batch, got Int [1] on cpu");
}

}  // namespace
}  // namespace gen
