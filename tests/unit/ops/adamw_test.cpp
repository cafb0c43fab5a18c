#include "gen/ops/adamw.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "ops/adamw_fused.h"
#include "support/emulated_team.h"
#include "support/support.h"

namespace gen {
namespace {

using ops::AdamWArgs;
using ops::AdamWTensor;

constexpr AdamWArgs kArgs{0.01, 0.8, 0.95, 1e-8, 0.5, 0.25};

/// Tensors of many sizes, each at a step of its own; every third without an average.
std::vector<AdamWTensor> make_tensors(const std::vector<int64_t>& sizes) {
  torch::manual_seed(5);
  std::vector<AdamWTensor> tensors;
  for (size_t i = 0; i < sizes.size(); ++i) {
    AdamWTensor t{torch::randn({sizes[i]}), torch::randn({sizes[i]}), torch::randn({sizes[i]}),
                  torch::rand({sizes[i]}), torch::tensor(static_cast<float>(1 + i * 3))};
    if (i % 3 != 0) t.average = torch::randn({sizes[i]});
    t.weight_decay = i % 2 == 0 ? 0.1 : 0.0;
    tensors.push_back(t);
  }
  return tensors;
}
const std::vector<int64_t> kSizes{1, 3, 16, 0, 31, 64, 1000, 40000, 5, 4097, 2048, 2049};

struct Expected {
  at::Tensor parameter, mean, square, average;
};
/// Loshchilov & Hutter 2019, algorithm 2, in float64.
Expected algorithm(const AdamWTensor& t, const AdamWArgs& a) {
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
  const auto g = wide(t.gradient) * a.gradient_scale;
  const double steps = t.step.item<double>();
  Expected e;
  e.mean = wide(t.mean) * a.beta1 + g * (1 - a.beta1);
  e.square = wide(t.square) * a.beta2 + g * g * (1 - a.beta2);
  const auto m = e.mean / (1 - std::pow(a.beta1, steps)), v = e.square / (1 - std::pow(a.beta2, steps));
  e.parameter =
      wide(t.parameter) - a.learning_rate * (m / (v.sqrt() + a.eps) + t.weight_decay * wide(t.parameter));
  if (t.average.defined()) e.average = wide(t.average) + a.average_weight * (e.parameter - wide(t.average));
  return e;
}

void expect_step(const std::vector<AdamWTensor>& tensors, const std::vector<Expected>& expected,
                 const std::string& what) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].parameter.numel() == 0) continue;
    EXPECT_LT(test::max_abs_diff(tensors[i].parameter, expected[i].parameter), 1e-6)
        << what << ", tensor " << i;
    EXPECT_LT(test::max_abs_diff(tensors[i].mean, expected[i].mean), 1e-6) << what << ", tensor " << i;
    EXPECT_LT(test::max_abs_diff(tensors[i].square, expected[i].square), 2e-6) << what << ", tensor " << i;
    if (tensors[i].average.defined()) {
      EXPECT_LT(test::max_abs_diff(tensors[i].average, expected[i].average), 1e-6)
          << what << ", tensor " << i;
    }
  }
}

std::vector<Expected> expected_of(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args) {
  std::vector<Expected> expected;
  for (const auto& t : tensors) expected.push_back(algorithm(t, args));
  return expected;
}

TEST(AdamWOp, IsTheAlgorithmInFloat64) {
  const auto tensors = make_tensors(kSizes);
  const auto expected = expected_of(tensors, kArgs);
  ops::adamw_(tensors, kArgs);
  expect_step(tensors, expected, "adamw_");
}

TEST(AdamWOp, EveryInstructionSetIsTheAlgorithm) {
  for (const char* name : {"baseline", "avx2", "avx512", "avx512_bf16"}) {
    const auto* kernels = ops::simd::kernels_for(name);
    if (kernels == nullptr) continue;
    const auto tensors = make_tensors(kSizes);
    const auto expected = expected_of(tensors, kArgs);
    ops::cpu::adamw(tensors, kArgs, *kernels);
    expect_step(tensors, expected, name);
  }
}

TEST(AdamWOp, TwentyStepsMatchTorchs) {
  const auto ours = torch::randn({57, 33}), theirs = ours.clone().requires_grad_();
  torch::optim::AdamW reference({theirs},
                                torch::optim::AdamWOptions(0.01).betas({0.8, 0.95}).weight_decay(0.1));
  const AdamWTensor t{
      ours, torch::empty_like(ours), torch::zeros_like(ours), torch::zeros_like(ours), torch::zeros({}), {},
      0.1};
  for (int step = 0; step < 20; ++step) {
    t.gradient.copy_(torch::randn({57, 33}));
    theirs.mutable_grad() = t.gradient.clone();
    t.step.add_(1);
    ops::adamw_({t}, {0.01, 0.8, 0.95, 1e-8});
    reference.step();
  }
  EXPECT_LT(test::max_abs_diff(ours, theirs), 2e-6);
}

TEST(AdamWOp, ResultsDoNotDependOnTheNumberOfThreads) {
  const int before = at::get_num_threads();
  std::vector<std::vector<AdamWTensor>> found;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    found.push_back(make_tensors(kSizes));
    ops::adamw_(found.back(), kArgs);
  }
  at::set_num_threads(before);
  for (size_t i = 0; i < kSizes.size(); ++i)
    for (size_t other = 1; other < found.size(); ++other) {
      EXPECT_TRUE(torch::equal(found[0][i].parameter, found[other][i].parameter)) << i;
      if (found[0][i].average.defined()) {
        EXPECT_TRUE(torch::equal(found[0][i].average, found[other][i].average)) << i;
      }
    }
}

TEST(AdamWOp, ChannelsLastWeightsAreUpdatedInTheirOwnOrder) {
  const auto like = [] { return torch::randn({4, 3, 5, 5}).contiguous(at::MemoryFormat::ChannelsLast); };
  const AdamWTensor t{like(), like(), like(), like().abs(), torch::tensor(4.0F), like(), 0.1};
  const auto expected = algorithm(t, kArgs);
  ops::adamw_({t}, kArgs);
  EXPECT_LT(test::max_abs_diff(t.parameter, expected.parameter), 1e-6);
  EXPECT_LT(test::max_abs_diff(t.average, expected.average), 1e-6);
}

TEST(AdamWOp, AutogradNoticesTheUpdate) {
  const auto w = torch::randn({3}).requires_grad_();
  const auto y = (w * w).sum();
  {
    const at::NoGradGuard no_grad;
    ops::adamw_({{w, torch::ones({3}), torch::zeros({3}), torch::zeros({3}), torch::ones({})}}, {});
  }
  EXPECT_THROW(y.backward(), c10::Error);
}

TEST(AdamWOp, NamesTheTensorThatDoesNotFit) {
  auto tensors = make_tensors({2, 3});
  tensors[1].average = torch::zeros({4});
  try {
    ops::adamw_(tensors, kArgs);
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "adamw_: parameter 1 is [3] with strides [1] but its average is Float [4] with [1]");
  }
  EXPECT_FALSE(ops::adamw_supported(torch::zeros({2}, at::kDouble)));
}

// cuda/adamw.cu's body on emulated blocks.
template <bool kReversed>
int emulated_adamw(const ops::fused::AdamList* list, void*) {
  test::emulate<ops::fused::AdamShared>(
      list->first_block[list->count], 1, ops::fused::kAdamThreads, kReversed,
      [&](const auto& team, auto& shared) { ops::fused::adam_block(team, *list, shared); });
  return 0;
}

TEST(AdamWCuda, IsTheAlgorithmOverMoreTensorsThanALaunchTakes) {
  auto sizes = kSizes;
  for (int64_t i = 0; i < 60; ++i) sizes.push_back(i % 9);
  for (const auto launch : {emulated_adamw<false>, emulated_adamw<true>}) {
    const auto tensors = make_tensors(sizes);
    const auto expected = expected_of(tensors, kArgs);
    ops::cuda::adamw(tensors, kArgs, launch);
    expect_step(tensors, expected, "emulated");
  }
}

TEST(AdamWCuda, TensorsOffTheVectorGridAreUpdatedToo) {
  const auto off = [] { return torch::rand({1001}).slice(0, 1); };
  const AdamWTensor t{off(), off(), off(), off(), torch::tensor(2.0F), off(), 0.1};
  const auto expected = algorithm(t, kArgs);
  ops::cuda::adamw({t}, kArgs, emulated_adamw<false>);
  expect_step({t}, {expected}, "emulated");
}

TEST(AdamWCuda, TheLauncherIsExported) {
  if (!std::filesystem::exists(test::gen_binary().parent_path().parent_path() / "lib" / "libgen_cuda.so"))
    GTEST_SKIP() << "needs libgen_cuda.so, which is built only where nvcc is there";
  EXPECT_NE(cuda_symbol(ops::fused::kAdamSymbol), nullptr);
}

}  // namespace
}  // namespace gen
