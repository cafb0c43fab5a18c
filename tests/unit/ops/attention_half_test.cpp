// Half precisions against the rule of the flash-attention project's tests: at most twice the error of the same formula in
// that precision.
#include <torch/torch.h>

#include "gen/ops/attention.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

using ops::AttentionPath;

/// The formula, each operation in the dtype of q.
at::Tensor formula(const test::AttentionCase& c) {
  const auto& o = c.options;
  const int64_t H = c.q.size(1), lq = c.q.size(2), lk = c.k.size(2);
  const auto repeat = [&](const at::Tensor& x) { return x.repeat_interleave(H / x.size(1), 1); };
  auto s = at::matmul(c.q * o.scale.value_or(1 / std::sqrt(static_cast<double>(c.q.size(3)))),
                      repeat(c.k).transpose(2, 3));
  if (o.softcap > 0) s = o.softcap * at::tanh(s / o.softcap);
  if (o.bias.defined()) s = s + o.bias;
  const int64_t diagonal = o.alignment == ops::Alignment::bottom_right ? lk - lq : 0;
  const auto distance = at::arange(lq).unsqueeze(1) + diagonal - at::arange(lk);  // [Lq, Lk]
  if (o.alibi_slopes.defined()) {
    const auto slopes = o.alibi_slopes.dim() == 1 ? o.alibi_slopes.unsqueeze(0) : o.alibi_slopes;
    s = s - (slopes.unsqueeze(2).unsqueeze(3) * distance.abs()).to(s.scalar_type());
  }
  auto hidden = at::zeros({lq, lk}, at::kBool);
  if (o.causal) hidden = hidden.logical_or(distance.lt(0));
  if (o.window_left) hidden = hidden.logical_or(distance.gt(*o.window_left));
  if (o.window_right) hidden = hidden.logical_or(distance.lt(-*o.window_right));
  if (o.key_padding_mask.defined())
    hidden = hidden.logical_or(o.key_padding_mask.logical_not().unsqueeze(1).unsqueeze(2));
  const auto nothing = hidden.all(-1, /*keepdim=*/true);
  s = s.masked_fill(hidden.logical_and(nothing.logical_not()), -INFINITY);
  return at::matmul(s.softmax(3).masked_fill(nothing, 0), repeat(c.v));
}

/// out, then the gradients of sum(out * probe) by q, k and v.
template <class Path>
std::vector<at::Tensor> everything(test::AttentionCase c, const at::Tensor& probe, const Path& path) {
  for (auto* x : {&c.q, &c.k, &c.v}) *x = x->detach().requires_grad_();
  const auto out = path(c);
  auto list = torch::autograd::grad({out}, {c.q, c.k, c.v}, {probe.to(out.scalar_type())});
  list.insert(list.begin(), out.detach());
  return list;
}

/// Whether out and gradients are at most twice as wrong as the formula's.
void expect_as_good(const test::AttentionCase& c, const std::string& what) {
  const auto by = [](AttentionPath path) {
    return [path](const test::AttentionCase& c) {
      auto options = c.options;
      options.path = path;
      return ops::attention(c.q, c.k, c.v, options);
    };
  };
  constexpr const char* kNames[] = {"out", "grad q", "grad k", "grad v"};
  const auto probe = torch::randn(c.q.sizes(), c.q.scalar_type());
  const auto exact = everything(test::in_dtype(c, at::kDouble), probe, by(AttentionPath::reference));
  const auto simple = everything(c, probe, formula), ours = everything(c, probe, by(AttentionPath::fused));
  for (size_t x = 0; x < ours.size(); ++x) {
    const auto error = [&](const at::Tensor& got) { return (got - exact[x]).abs().max().item<double>(); };
    EXPECT_EQ(ours[x].scalar_type(), c.q.scalar_type());
    EXPECT_LE(error(ours[x]), 2 * error(simple[x]) + 1e-5)
        << what << " " << toString(c.q.scalar_type()) << " " << kNames[x];
  }
}

TEST(AttentionHalf, IsAsGoodAsTheFormulaOnRandomProblems) {
  torch::manual_seed(3);
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i)
    for (const auto dtype : {at::kBFloat16, at::kHalf}) {
      auto c = test::random_case(random, dtype);
      c.options.dropout = 0;
      expect_as_good(c, std::to_string(i));
    }
}

TEST(AttentionHalf, IsAsGoodAsTheFormulaOverManyBlocks) {
  torch::manual_seed(4);
  const std::vector<ops::AttentionOptions> all{{},
                                               {.causal = true},
                                               {.causal = true, .window_left = 100},
                                               {.alibi_slopes = at::tensor({0.1, 0.01, 0.3, 0.05})},
                                               {.softcap = 5},
                                               {.bias = torch::randn({4, 1, 511})}};
  for (size_t i = 0; i < all.size(); ++i)
    for (const auto dtype : {at::kBFloat16, at::kHalf})
      for (const int64_t dim : {40, 128}) {
        test::AttentionCase c{torch::randn({1, 4, 401, dim}).to(dtype),
                              torch::randn({1, 2, 511, dim}).to(dtype),
                              torch::randn({1, 2, 511, dim}).to(dtype), all[i]};
        if (c.options.bias.defined()) c.options.bias = c.options.bias.to(dtype);
        expect_as_good(c, std::to_string(i) + " D " + std::to_string(dim));
      }
}

}  // namespace
}  // namespace gen
