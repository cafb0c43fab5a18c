// A NaN or an infinity leaves every operation as it leaves torch's, on every instruction set that this machine runs: what
// swallows one makes a broken run look healthy.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

#include "gen/ops/ema_update.h"
#include "gen/ops/relu_mlp.h"
#include "ops/adamw_fused.h"
#include "ops/attention/flash_arguments.h"
#include "ops/flash/cpu.h"
#include "ops/group_norm_cpu.h"
#include "ops/layer_norm_fused.h"
#include "ops/matmul.h"
#include "ops/rotary_fused.h"
#include "support/support.h"

namespace gen {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInf = std::numeric_limits<double>::infinity();

/// Not finite where torch's is not, and near it elsewhere. Which of NaN, inf and -inf it is may differ.
void expect_as_torchs(const at::Tensor& ours, const at::Tensor& torchs, const std::string& what) {
  const auto finite = torchs.isfinite();
  ASSERT_TRUE(at::equal(ours.isfinite(), finite))
      << what << ": " << ours.isfinite().ne(finite).sum().item<int64_t>() << " of " << ours.numel()
      << " differ";
  const auto zero = [&](const at::Tensor& x) { return at::where(finite, x.to(at::kDouble), 0.0); };
  EXPECT_TRUE(at::allclose(zero(ours), zero(torchs), 1e-4, 1e-5)) << what;
}

/// `x` with `value` at a few places, one of them in the last elements of a row.
at::Tensor poisoned(const at::Tensor& x, double value) {
  auto y = x.detach().clone();
  y.view(-1)[y.numel() / 3] = value;
  y.view(-1)[y.numel() - 1] = value;
  return y;
}

/// Every instruction set and every value that is no number.
class NonFinite : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (kernels_ == nullptr) GTEST_SKIP() << "this machine has no " << GetParam();
    torch::manual_seed(3);
  }
  template <class Body>
  void with_each_value(const Body& body) {
    for (const double value : {kNan, kInf, -kInf}) body(value, std::to_string(value));
  }
  const ops::simd::Kernels* kernels_ = ops::simd::kernels_for(GetParam());
};

TEST_P(NonFinite, Matmul) {
  const auto a = torch::randn({7, 19}), b = torch::randn({19, 37});
  with_each_value([&](double value, const std::string& name) {
    for (const auto& [x, y] : {std::pair{poisoned(a, value), b}, std::pair{a, poisoned(b, value)}}) {
      auto c = torch::zeros({7, 37});
      ops::cpu::matmul({x.data_ptr<float>(), 19}, {y.data_ptr<float>(), 37}, c.data_ptr<float>(), 37, 7, 37,
                       19, *kernels_);
      expect_as_torchs(c, at::mm(x, y), name);
    }
  });
}

TEST_P(NonFinite, AdamW) {
  const auto parameter = torch::randn({37}), gradient = torch::randn({37}), mean = torch::randn({37}),
             square = torch::rand({37});
  with_each_value([&](double value, const std::string& name) {
    for (int which = 0; which < 4; ++which) {
      const auto of = [&](int i, const at::Tensor& x) { return i == which ? poisoned(x, value) : x.clone(); };
      const auto p = of(0, parameter), g = of(1, gradient), m = of(2, mean), v = of(3, square);
      const auto p1 = p.clone(), m1 = m.clone(), v1 = v.clone(), step = torch::full({}, 3.0F);
      ops::cpu::adamw({{p, g, m, v, step, {}, 0.1}}, {0.01, 0.9, 0.99, 1e-8, 1, 0}, *kernels_);
      // v += (g^2 - v) (1 - beta2) is NaN of an infinite v, where torch's v beta2 + g^2 (1 - beta2) stays infinite and its
      // step is 0: ours is the louder.
      const bool louder = which == 3 && value == kInf;
      at::_fused_adamw_({p1}, {g}, {m1}, {v1}, {}, {step}, 0.01, 0.9, 0.99, 0.1, 1e-8, false, false);
      if (louder)
        EXPECT_EQ(p.isfinite().sum().item<int64_t>(), 35);
      else
        expect_as_torchs(p, p1, name + " in " + std::to_string(which));
      expect_as_torchs(m, m1, name + ", mean");
      expect_as_torchs(v, v1, name + ", square");
    }
  });
}

TEST_P(NonFinite, RowNorms) {
  const auto x = torch::randn({5, 37}), weight = torch::rand({37}) + 0.5, bias = torch::randn({37}),
             dy = torch::randn({5, 37});
  with_each_value([&](double value, const std::string& name) {
    for (const bool center : {true, false}) {
      const auto bad = poisoned(x, value).requires_grad_();
      const ops::RowNormInputs inputs(bad.detach(), {weight, center ? bias : at::Tensor(), 1e-5}, center);
      const auto out = ops::cpu::row_norm_forward(inputs, *kernels_);
      const auto expected =
          center ? at::layer_norm(bad, {37}, weight, bias, 1e-5) : at::rms_norm(bad, {37}, weight, 1e-5);
      expect_as_torchs(out.y.view({5, 37}), expected, name);
      const auto grads = ops::cpu::row_norm_backward(inputs, out, dy, {}, *kernels_);
      expect_as_torchs(grads.x.view({5, 37}), torch::autograd::grad({expected}, {bad}, {dy})[0],
                       name + ", gradient");
    }
  });
}

TEST_P(NonFinite, GroupNormSilu) {
  const auto x = torch::randn({2, 8, 3, 5}), weight = torch::rand({8}) + 0.5, bias = torch::randn({8}),
             dy = torch::randn({2, 8, 3, 5});
  with_each_value([&](double value, const std::string& name) {
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const auto bad = poisoned(x, value).contiguous(format).requires_grad_();
      ops::GroupNormArgs args;
      args.num_groups = 4, args.weight = weight, args.bias = bias, args.eps = 1e-5, args.silu = true;
      ops::cpu::GroupNormStatistics statistics;
      const auto y = ops::cpu::group_norm_forward(bad.detach(), args, statistics, *kernels_);
      const auto expected = at::silu(at::group_norm(bad, 4, weight, bias, 1e-5));
      expect_as_torchs(y, expected, name);
      const auto grads = ops::cpu::group_norm_backward(dy, bad.detach(), args, statistics, *kernels_);
      expect_as_torchs(grads.x, torch::autograd::grad({expected}, {bad}, {dy})[0], name + ", gradient");
    }
  });
}

TEST_P(NonFinite, Rotary) {
  const auto x = torch::randn({1, 2, 3, 20});
  const auto table = ops::rotary_table(torch::arange(3), ops::rotary_frequencies(16));
  with_each_value([&](double value, const std::string& name) {
    const auto bad = poisoned(x, value), y = torch::zeros_like(bad);
    ops::cpu::rotate_rows(ops::rotary_problem(bad, y, table, ops::RotaryLayout::half, false), *kernels_);
    const auto cos = table.cos, sin = table.sin;
    const auto a = bad.slice(3, 0, 8), b = bad.slice(3, 8, 16);
    expect_as_torchs(y, at::cat({a * cos - b * sin, b * cos + a * sin, bad.slice(3, 16)}, 3), name);
  });
}

// With 3 queries the kernels of decoding work, with 60 those of blocks.
TEST_P(NonFinite, Attention) {
  for (const int64_t queries : {3, 60})
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const std::vector<at::Tensor> good{
          torch::randn({1, 2, queries, 16}).to(dtype), torch::randn({1, 2, 45, 16}).to(dtype),
          torch::randn({1, 2, 45, 16}).to(dtype), torch::randn({1, 2, queries, 16}).to(dtype)};
      with_each_value([&](double value, const std::string& name) {
        for (size_t which = 0; which < 4; ++which) {
          auto x = good;
          x[which] = poisoned(x[which], value);
          const std::string what =
              name + " in " + std::to_string(which) + ", " + std::to_string(queries) + " queries";
          const ops::AttentionCall call{x[0], x[1], x[2], {}, {}, {}};
          const auto prepared = ops::prepare(call);
          const auto out = at::zeros_like(x[0]), lse = at::zeros({1, 2, queries}),
                     delta = at::zeros_like(lse);
          const ops::flash::ForwardResult result{out.data_ptr(), ops::strides_of(out), lse.data_ptr<float>(),
                                                 lse.stride(0), lse.stride(1)};
          ops::flash::cpu::forward(prepared.problem, result, *kernels_);

          std::vector<at::Tensor> wide;
          for (const auto& t : x) wide.push_back(t.to(at::kFloat).requires_grad_());
          const auto p = at::softmax(at::matmul(wide[0], wide[1].transpose(2, 3)) / 4, -1);
          const auto expected = at::matmul(p, wide[2]);
          const double slack = dtype == at::kFloat ? 1 : 0;  // bfloat16: which are finite, alone
          const auto compare = [&](const at::Tensor& ours, const at::Tensor& torchs, const char* of) {
            if (slack > 0) return expect_as_torchs(ours, torchs, what + of);
            EXPECT_TRUE(at::equal(ours.isfinite(), torchs.isfinite())) << what << of << " in bfloat16";
          };
          compare(out, expected, ", out");

          const std::vector<at::Tensor> grads{at::zeros_like(x[0]), at::zeros_like(x[1]),
                                              at::zeros_like(x[2])};
          ops::flash::BackwardArguments a;
          a.forward = result;
          a.grad_out = x[3].data_ptr();
          a.grad_out_strides = ops::strides_of(x[3]);
          a.delta = delta.data_ptr<float>();
          a.grad_q = grads[0].data_ptr(), a.grad_k = grads[1].data_ptr(), a.grad_v = grads[2].data_ptr();
          a.grad_q_strides = ops::strides_of(grads[0]), a.grad_k_strides = ops::strides_of(grads[1]);
          a.grad_v_strides = ops::strides_of(grads[2]);
          ops::flash::cpu::backward(prepared.problem, a, *kernels_);
          const auto theirs =
              torch::autograd::grad({expected}, {wide[0], wide[1], wide[2]}, {wide[3].detach()});
          for (size_t i = 0; i < 3; ++i)
            compare(grads[i], theirs[i], i == 0 ? ", dq" : i == 1 ? ", dk" : ", dv");
        }
      });
    }
}

INSTANTIATE_TEST_SUITE_P(Each, NonFinite, testing::Values("baseline", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& each) { return std::string(each.param); });

TEST(NonFiniteOps, ReluMlp) {
  torch::manual_seed(4);
  const std::vector<at::Tensor> good{torch::randn({6, 5}), torch::randn({9, 5}), torch::randn({9}),
                                     torch::randn({4, 9}), torch::randn({4})};
  for (const double value : {kNan, kInf, -kInf})
    for (size_t which = 0; which < good.size(); ++which) {
      std::vector<at::Tensor> x;
      for (size_t i = 0; i < good.size(); ++i)
        x.push_back((i == which ? poisoned(good[i], value) : good[i].clone()).requires_grad_());
      const auto what = std::to_string(value) + " in " + std::to_string(which);
      const auto y = relu_mlp(x[0], {x[1], x[3]}, {x[2], x[4]});
      const auto expected = at::linear(at::relu(at::linear(x[0], x[1], x[2])), x[3], x[4]);
      expect_as_torchs(y, expected, what);
      const auto dy = torch::randn({6, 4});
      const auto ours = torch::autograd::grad({y}, x, {dy}),
                 torchs = torch::autograd::grad({expected}, x, {dy});
      for (size_t i = 0; i < x.size(); ++i)
        expect_as_torchs(ours[i], torchs[i], what + ", gradient " + std::to_string(i));
    }
}

TEST(NonFiniteOps, EmaUpdate) {
  for (const double value : {kNan, kInf, -kInf}) {
    auto average = torch::zeros({37});
    ops::ema_update_({average}, {poisoned(torch::randn({37}), value)}, 0.1);
    EXPECT_EQ(average.isfinite().sum().item<int64_t>(), 35);
  }
}

}  // namespace
}  // namespace gen
