// The sm_80 attention kernels against attention in float64, on emulated blocks of a GPU.
#include <gtest/gtest.h>

#include <array>

#include "emulated_flash.h"
#include "ops/attention/reference.h"

namespace gen::test {
namespace {

ops::AttentionCall call_of(const AttentionCase& c) { return {c.q, c.k, c.v, c.options, {}, {}}; }

/// In float64, by the reference path.
FlashOutputs in_double(const AttentionCase& c, const at::Tensor& grad_out) {
  AttentionCase wide = in_dtype(c, at::kDouble);
  auto& bias = wide.options.bias;
  for (auto* x : {&wide.q, &wide.k, &wide.v}) *x = x->detach().clone().requires_grad_();
  if (bias.defined()) bias = bias.detach().clone().requires_grad_();
  const auto r = ops::reference_attention(call_of(wide));
  r.out.backward(grad_out.to(at::kDouble));
  return {r.out.detach(),
          r.lse.detach(),
          wide.q.grad(),
          wide.k.grad(),
          wide.v.grad(),
          bias.defined() ? bias.grad() : bias,
          0,
          0};
}

/// Of a norm of one at least: gradients of a softmax over one key, or of a bias along it, are nothing but rounding.
double relative_error(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kDouble) - want).norm() / want.norm().clamp_min(1)).item<double>();
}

/// Against float64, within what rounding probabilities and results to 16 bits gives.
void expect_close(const FlashOutputs& got, const FlashOutputs& want, double tolerance,
                  const std::string& what) {
  EXPECT_LT(relative_error(got.out, want.out), tolerance) << what;
  const auto finite = want.lse.isfinite();
  EXPECT_TRUE(at::equal(got.lse.isfinite(), finite)) << what;
  EXPECT_LT(relative_error(got.lse.masked_select(finite), want.lse.masked_select(finite)), tolerance / 10)
      << what;
  EXPECT_LT(relative_error(got.q, want.q), tolerance) << what;
  EXPECT_LT(relative_error(got.k, want.k), tolerance) << what;
  EXPECT_LT(relative_error(got.v, want.v), tolerance) << what;
  if (got.bias.defined()) EXPECT_LT(relative_error(got.bias, want.bias), 3 * tolerance) << what;
  EXPECT_EQ(got.conflicted_reads, 0) << what;
}

AttentionCase make_case(int64_t heads, int64_t kv_heads, int64_t lq, int64_t lk, int64_t dim,
                        at::ScalarType dtype) {
  return {torch::randn({1, heads, lq, dim}).to(dtype),
          torch::randn({1, kv_heads, lk, dim}).to(dtype),
          torch::randn({1, kv_heads, lk, dim}).to(dtype),
          {}};
}

TEST(FlashAmpere, EveryHeadDimensionComputesFullAndCausalAttentionWithTails) {
  torch::manual_seed(0);
  for (int64_t dim : {32, 40, 64, 72, 80, 96, 128, 160, 256})
    for (bool causal : {false, true}) {
      auto c = make_case(2, 1, 37, 140, dim, causal ? at::kHalf : at::kBFloat16);
      c.options.causal = causal;
      const auto grad = torch::randn(c.q.sizes()).to(c.q.scalar_type());
      EmulatedFlash kernels(call_of(c), {.backwards = causal, .deterministic = !causal});
      const auto got = kernels(grad);
      expect_close(got, in_double(c, grad), causal ? 2e-3 : 1e-2,
                   "D " + std::to_string(dim) + (causal ? " causal" : ""));
      EXPECT_EQ(kernels.forward_plan.choice.dim, dim);
      EXPECT_FALSE(kernels.forward_plan.choice.general);
      EXPECT_GT(got.matrix_reads, 0);
    }
}

TEST(FlashAmpere, FewKeysStayInSharedMemoryWhileQueriesPassBy) {
  torch::manual_seed(9);
  for (int64_t dim : {32, 40, 64, 72, 80, 96, 128, 160})
    for (int64_t lk : {77, 128}) {
      auto c = make_case(1, 1, lk == 77 ? 130 : 20, lk, dim, at::kHalf);
      if (lk == 128) c.options.causal = true;
      if (lk == 77 && dim % 3 == 1) c.k = c.k.slice(2, 0, 1), c.v = c.v.slice(2, 0, 1);
      EmulatedFlash kernels(call_of(c), {.backwards = lk == 77, .multiprocessors = 1});
      const auto got = kernels({});
      EXPECT_TRUE(kernels.forward_plan.choice.short_keys);
      const auto want = by_definition(c);
      EXPECT_LT(relative_error(got.out, want.first), 2e-3) << dim << " " << lk;
      EXPECT_LT(relative_error(got.lse, want.second), 1e-4) << dim << " " << lk;
      EXPECT_EQ(got.conflicted_reads, 0);
    }
}

TEST(FlashAmpere, TilesOfMoreRowsAndKeysThanOneMeet) {
  torch::manual_seed(1);
  for (int64_t left : {-1, 20}) {
    auto c = make_case(1, 1, 150, 210, 64, at::kBFloat16);
    if (left >= 0) c.options.window_left = left;
    const auto grad = torch::randn(c.q.sizes()).to(c.q.scalar_type());
    expect_close(EmulatedFlash(call_of(c), {})(grad), in_double(c, grad), 1e-2,
                 "window " + std::to_string(left));
  }
}

TEST(FlashAmpere, EveryOptionTogetherOnRandomProblems) {
  torch::manual_seed(2);
  std::mt19937 random(11);
  int general = 0, scalar = 0;
  for (int i = 0; i < 40; ++i) {
    const auto dtype = std::array{at::kBFloat16, at::kHalf, at::kFloat}[static_cast<size_t>(i % 3)];
    auto c = random_case(random, dtype);
    if (c.q.size(2) * c.k.size(2) * c.q.size(1) > 12000) c = make_case(2, 1, 9, 33, c.q.size(3), dtype);
    const auto grad = torch::randn(c.q.sizes()).to(dtype);
    EmulatedFlash kernels(call_of(c), {.backwards = i % 2 == 1, .deterministic = i % 4 < 2});
    const auto got = kernels(grad, c.options.bias.defined());
    expect_close(got, in_double(c, grad),
                 dtype == at::kFloat  ? 1e-4
                 : dtype == at::kHalf ? 4e-3
                                      : 2e-2,
                 "case " + std::to_string(i));
    general += kernels.forward_plan.choice.general;
    scalar += dtype == at::kFloat;
  }
  EXPECT_GT(general, 10);
  EXPECT_GT(scalar, 10);
}

TEST(FlashAmpere, APackedBatchIsItsSequencesOneByOne) {
  torch::manual_seed(3);
  const std::vector<int64_t> lq{5, 0, 70, 33}, lk{40, 7, 0, 65};
  auto starts = [](const std::vector<int64_t>& lengths) {
    std::vector<int32_t> at{0};
    for (int64_t n : lengths) at.push_back(at.back() + static_cast<int32_t>(n));
    return torch::tensor(at, at::kInt);
  };
  const ops::PackedSequences packed{starts(lq), starts(lk), 70, 65};
  for (const auto dtype : {at::kBFloat16, at::kFloat}) {
    ops::AttentionCall call{torch::randn({108, 2, 64}).to(dtype),
                            torch::randn({112, 1, 64}).to(dtype),
                            torch::randn({112, 1, 64}).to(dtype),
                            {},
                            packed,
                            {}};
    call.options.causal = true;
    const auto grad = torch::randn(call.q.sizes()).to(dtype);
    const auto got = EmulatedFlash(call, {.deterministic = false})(grad);
    for (size_t s = 0; s < lq.size(); ++s) {
      const auto part = [&](const at::Tensor& x, const at::Tensor& at, int64_t length) {
        return x.narrow(0, at[static_cast<int64_t>(s)].item<int32_t>(), length).transpose(0, 1).unsqueeze(0);
      };
      AttentionCase c{part(call.q, packed.cu_seqlens_q, lq[s]), part(call.k, packed.cu_seqlens_k, lk[s]),
                      part(call.v, packed.cu_seqlens_k, lk[s]), call.options};
      const auto want = in_double(c, part(grad, packed.cu_seqlens_q, lq[s]));
      const double tolerance = dtype == at::kFloat ? 2e-5 : 2e-2;
      EXPECT_LT(relative_error(part(got.out, packed.cu_seqlens_q, lq[s]), want.out), tolerance) << s;
      EXPECT_LT(relative_error(part(got.q, packed.cu_seqlens_q, lq[s]), want.q), tolerance) << s;
      EXPECT_LT(relative_error(part(got.k, packed.cu_seqlens_k, lk[s]), want.k), tolerance) << s;
      EXPECT_LT(relative_error(part(got.v, packed.cu_seqlens_k, lk[s]), want.v), tolerance) << s;
    }
  }
}

TEST(FlashAmpere, PartsOfTheKeysAreCombinedForFewQueries) {
  torch::manual_seed(4);
  for (const bool causal : {false, true}) {
    auto c = make_case(4, 2, 3, 700, 64, at::kHalf);
    c.options.causal = causal;
    if (causal) c.options.window_left = 100;  // so that some parts see nothing
    EmulatedFlash kernels(call_of(c), {.multiprocessors = 40});
    const auto got = kernels({});
    EXPECT_GT(kernels.forward_plan.arguments.parts.splits, 4);
    const auto want = by_definition(c);
    EXPECT_LT(relative_error(got.out, want.first), 2e-3);
    EXPECT_LT(relative_error(got.lse, want.second), 1e-4);
  }
}

TEST(FlashAmpere, ACacheThatIsBeingFilledHidesWhatIsBeyondIt) {
  torch::manual_seed(5);
  auto c = make_case(2, 2, 1, 200, 40, at::kBFloat16);
  c.k.slice(2, 130).fill_(NAN);
  c.v.slice(2, 130).fill_(NAN);
  for (int multiprocessors : {1, 50}) {
    const auto got = EmulatedFlash({c.q, c.k, c.v, c.options, {}, torch::tensor({130}, at::kInt)},
                                   {.multiprocessors = multiprocessors})({});
    const auto want = by_definition({c.q, c.k.slice(2, 0, 130), c.v.slice(2, 0, 130), c.options});
    EXPECT_LT(relative_error(got.out, want.first), 1e-2);
  }
}

TEST(FlashAmpere, HiddenKeysMayHoldNaN) {
  torch::manual_seed(6);
  auto c = make_case(1, 1, 20, 90, 64, at::kBFloat16);
  c.options.key_padding_mask = torch::ones({1, 90}, at::kBool);
  c.options.key_padding_mask.slice(1, 50, 70).fill_(false);
  const auto grad = torch::randn(c.q.sizes()).to(at::kBFloat16);
  const auto want = in_double(c, grad);
  c.k.slice(2, 50, 70).fill_(NAN);
  c.v.slice(2, 50, 70).fill_(NAN);
  expect_close(EmulatedFlash(call_of(c), {})(grad), want, 1e-2, "hidden keys");
}

TEST(FlashAmpere, TheSameBitsForEveryOrderOfWarps) {
  torch::manual_seed(7);
  const auto c = make_case(1, 1, 70, 140, 64, at::kBFloat16);
  const auto grad = torch::randn(c.q.sizes()).to(at::kBFloat16);
  const auto first = EmulatedFlash(call_of(c), {})(grad),
             second = EmulatedFlash(call_of(c), {.backwards = true})(grad);
  for (const auto& [a, b] :
       {std::pair{first.out, second.out}, {first.q, second.q}, {first.k, second.k}, {first.v, second.v}})
    EXPECT_TRUE(at::equal(a, b));
}

TEST(FlashAmpere, DropoutIsTheMaskOfTheCpu) {
  torch::manual_seed(8);
  auto c = make_case(2, 1, 30, 75, 64, at::kHalf);
  c.options.dropout = 0.4;
  c.options.seed = 5, c.options.offset = 2;
  const auto grad = torch::randn(c.q.sizes()).to(at::kHalf);
  expect_close(EmulatedFlash(call_of(c), {})(grad), in_double(c, grad), 3e-3, "dropout");
}

}  // namespace
}  // namespace gen::test
