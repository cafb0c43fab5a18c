// The CPU's attention kernels of every instruction set that this machine runs, below the operator.
#include "ops/flash/cpu.h"

#include <torch/torch.h>

#include <fstream>
#include <limits>

#include "ops/attention/flash_arguments.h"
#include "ops/attention/flash_kernels.h"
#include "support/support.h"
#include "unit/ops/attention_cases.h"

namespace gen {
namespace {

namespace flash = ops::flash;

ops::AttentionCall call_of(const test::AttentionCase& c) { return {c.q, c.k, c.v, c.options, {}, {}}; }

std::vector<const ops::simd::Kernels*> instruction_sets() {
  std::vector<const ops::simd::Kernels*> list;
  for (const char* name : {"baseline", "avx2", "avx512", "avx512_bf16"})
    if (const auto* found = ops::simd::kernels_for(name)) list.push_back(found);
  return list;
}

/// Outputs full of NaN, so that what is not written shows.
at::Tensor poisoned(const at::Tensor& like) {
  return at::full(like.sizes(), std::numeric_limits<double>::quiet_NaN(), like.options());
}

struct Outputs {
  at::Tensor out, lse, q, k, v;
};

Outputs run(const test::AttentionCase& c, const at::Tensor& grad, const ops::simd::Kernels& kernels) {
  Outputs o{poisoned(c.q), at::full({c.q.size(0), c.q.size(1), c.q.size(2)}, NAN, at::kFloat), poisoned(c.q),
            poisoned(c.k), poisoned(c.v)};
  const auto prepared = ops::prepare(call_of(c));
  const flash::ForwardResult result{o.out.data_ptr(), ops::strides_of(o.out), o.lse.data_ptr<float>(),
                                    o.lse.stride(0), o.lse.stride(1)};
  flash::cpu::forward(prepared.problem, result, kernels);
  const auto delta = at::empty_like(o.lse);
  flash::BackwardArguments a;
  a.forward = result;
  a.grad_out = grad.data_ptr();
  a.grad_out_strides = ops::strides_of(grad);
  a.delta = delta.data_ptr<float>();
  a.grad_q = o.q.data_ptr();
  a.grad_k = o.k.data_ptr();
  a.grad_v = o.v.data_ptr();
  a.grad_q_strides = ops::strides_of(o.q);
  a.grad_k_strides = ops::strides_of(o.k);
  a.grad_v_strides = ops::strides_of(o.v);
  flash::cpu::backward(prepared.problem, a, kernels);
  return o;
}

TEST(FlashCpu, EveryInstructionSetFillsTheSameOutputs) {
  torch::manual_seed(0);
  std::mt19937 random(4);
  const auto sets = instruction_sets();
  for (int i = 0; i < 60; ++i) {
    const auto c = test::random_case(random);
    const auto grad = torch::randn(c.q.sizes());
    const auto first = run(c, grad, *sets.front());
    for (const auto* set : sets) {
      const auto o = run(c, grad, *set);
      const double size = std::max(1.0, first.k.abs().max().item<double>());
      EXPECT_LT(test::max_abs_diff(o.out, first.out), 1e-5) << set->instruction_set << i;
      for (const auto& [got, want] : {std::pair{o.q, first.q}, {o.k, first.k}, {o.v, first.v}})
        EXPECT_LT(test::max_abs_diff(got, want), 1e-4 * size) << set->instruction_set << i;
    }
  }
}

TEST(FlashCpu, EveryInstructionSetAgreesInBfloat16) {
  torch::manual_seed(4);
  std::mt19937 random(5);
  const auto sets = instruction_sets();
  for (int i = 0; i < 120; ++i) {
    auto c = test::random_case(random, at::kBFloat16);
    if (i % 2 == 0) {  // enough rows for packed operands
      c.q = at::cat({c.q, c.q, c.q, c.q}, 2);
      c.options.bias = at::Tensor();
    }
    const auto grad = torch::randn(c.q.sizes()).to(at::kBFloat16);
    const auto first = run(c, grad, *sets.front());
    double size = 1;
    for (const auto& x : {first.out, first.q, first.k, first.v})
      size = std::max(size, x.abs().max().item<double>());
    for (const auto* set : sets) {
      const auto o = run(c, grad, *set);
      for (const auto& [got, want] :
           {std::pair{o.out, first.out}, {o.q, first.q}, {o.k, first.k}, {o.v, first.v}})
        EXPECT_LT(test::max_abs_diff(got, want), 2e-2 * size) << set->instruction_set << i;
    }
  }
}

TEST(FlashCpu, EveryInstructionSetMultipliesMatricesOfAnyShape) {
  torch::manual_seed(1);
  for (const auto* set : instruction_sets()) {
    const auto& gemm = *set->gemm;
    const auto& floats = *set->operands[0];
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {7, 5, 3}, {48, 8, 256}, {13, 64, 77}, {5, 300, 40}, {6, 16, 200}, {3, 9, 63}}) {
      const auto a = torch::randn({m, k}), b = torch::randn({k, n}), a_columns = a.t().contiguous();
      const auto b_columns = b.t().contiguous(), before = torch::randn({m, n});
      std::vector<float> packed(static_cast<size_t>(packed_size(gemm, k, n)));
      const ops::simd::PackedMatrix right{packed.data(), k, n};
      for (const bool transposed : {false, true})
        for (const bool accumulate : {false, true}) {
          if (transposed)
            floats.pack_transposed(b_columns.data_ptr<float>(), k, k, n, packed.data());
          else
            floats.pack(b.data_ptr<float>(), n, k, n, packed.data());
          const auto c = before.clone();
          const ops::simd::LeftMatrix left = transposed
                                                 ? ops::simd::LeftMatrix{a_columns.data_ptr<float>(), 1, m}
                                                 : ops::simd::LeftMatrix{a.data_ptr<float>(), k};
          gemm.multiply(left, right, 0, k, 0, n, c.data_ptr<float>(), n, m, accumulate);
          auto want = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
          if (accumulate) want = want + before;
          EXPECT_LT(test::max_abs_diff(c, want), 1e-4)
              << set->instruction_set << " " << m << "x" << k << "x" << n;
        }
    }
  }
}

constexpr std::array kDtypes{at::kFloat, at::kHalf, at::kBFloat16};  // as flash::DType counts them

TEST(FlashCpu, EveryInstructionSetMultipliesOperandsWhereTheyLie) {
  torch::manual_seed(2);
  for (const auto* set : instruction_sets())
    for (size_t t = 0; t < kDtypes.size(); ++t) {
      const auto& operand = *set->operands[t];
      for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
               {1, 1, 1}, {1, 64, 33}, {2, 40, 16}, {3, 20, 77}, {7, 129, 5}, {16, 72, 250}, {29, 48, 160}}) {
        const int64_t room = (k + 15) / 16 * 16, ldc = (n + 15) / 16 * 16;
        const auto a = torch::randn({m, k}), before = torch::randn({m, ldc});
        const auto padded = at::constant_pad_nd(a, {0, room - k});
        // Rows lie in a wider tensor, and what is beside them must not be read.
        const auto x = at::full({n, k + 3}, NAN).to(kDtypes[t]), y = at::full({k, n + 3}, NAN).to(kDtypes[t]);
        x.slice(1, 0, k).copy_(torch::randn({n, k}));
        y.slice(1, 0, n).copy_(torch::randn({k, n}));
        const auto products = at::empty({m, n}), sums = before.clone();
        operand.multiply_transposed(padded.data_ptr<float>(), room, x.data_ptr(), k + 3, k,
                                    products.data_ptr<float>(), n, m, n);
        operand.add_product({a.data_ptr<float>(), k}, y.data_ptr(), n + 3, k, sums.data_ptr<float>(), ldc, m,
                            n);
        const auto wide = a.to(at::kDouble);
        const auto of = [](const at::Tensor& right, int64_t columns) {
          return right.slice(1, 0, columns).to(at::kDouble);
        };
        EXPECT_LT(test::max_abs_diff(products, at::matmul(wide, of(x, k).t())), 1e-4)
            << set->instruction_set << " " << m << "x" << k << "x" << n;
        EXPECT_LT(test::max_abs_diff(sums.slice(1, 0, n), at::matmul(wide, of(y, n)) + before.slice(1, 0, n)),
                  1e-4)
            << set->instruction_set << " " << m << "x" << k << "x" << n;
      }
    }
}

TEST(FlashCpu, EveryInstructionSetConvertsAsTorch) {
  torch::manual_seed(3);
  const auto bits = at::arange(65536, at::kInt).to(at::kShort);
  const auto floats = at::cat({torch::randn({5000}), torch::randn({5000}) * 1e-6, torch::randn({5000}) * 3e4,
                               at::tensor({65519.0F, 65520.0F, 0.0F, -0.0F, INFINITY, -INFINITY, 5.9e-8F})});
  for (const auto* set : instruction_sets())
    for (size_t t = 1; t < kDtypes.size(); ++t) {
      const auto half = bits.view(kDtypes[t]), widened = at::empty({65536}), want = half.to(at::kFloat);
      set->operands[t]->widen(half.data_ptr(), 65536, 1, 65536, widened.data_ptr<float>(), 65536);
      EXPECT_TRUE(at::allclose(widened, want, 0, 0, /*equal_nan=*/true)) << set->instruction_set << t;
      const auto narrowed = at::empty(floats.sizes(), kDtypes[t]);
      set->operands[t]->narrow(floats.data_ptr<float>(), 0, 1, floats.size(0), 1, narrowed.data_ptr(), 0);
      EXPECT_TRUE(torch::equal(narrowed.view(at::kShort), floats.to(kDtypes[t]).view(at::kShort)))
          << set->instruction_set << t;
    }
}

/// kB of this process's peak resident memory.
int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      int64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes;
    }
  return 0;
}

TEST(FlashCpu, MemoryGrowsWithTheLengthNotItsSquare) {
  const int64_t L = 16384;  // the scores would take 1 GiB, and again for their gradients
  const auto q = torch::randn({1, 1, L, 16}).requires_grad_();
  const int64_t before = peak_memory();
  ops::attention(q, q, q, {.causal = true, .window_left = 64, .path = ops::AttentionPath::fused})
      .sum()
      .backward();
  EXPECT_LT(peak_memory() - before, 128 * 1024);
}

}  // namespace
}  // namespace gen
