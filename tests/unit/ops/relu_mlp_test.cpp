#include "gen/ops/relu_mlp.h"

#include <torch/torch.h>

#include "gen/core/error.h"
#include "support/support.h"

namespace gen {
namespace {

struct Mlp {
  std::vector<at::Tensor> weights, biases;
};

Mlp make_mlp(const std::vector<int64_t>& sizes) {
  Mlp mlp;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    mlp.weights.push_back(torch::randn({sizes[i + 1], sizes[i]}, at::kDouble).requires_grad_());
    mlp.biases.push_back(torch::randn({sizes[i + 1]}, at::kDouble).requires_grad_());
  }
  return mlp;
}

at::Tensor reference(at::Tensor h, const Mlp& mlp) {
  for (size_t i = 0; i < mlp.weights.size(); ++i) {
    h = torch::linear(h, mlp.weights[i], mlp.biases[i]);
    if (i + 1 < mlp.weights.size()) h = torch::relu(h);
  }
  return h;
}

// Gradients of sum(y * probe) by x and every parameter.
std::vector<at::Tensor> gradients(const at::Tensor& y, const at::Tensor& x, const Mlp& mlp,
                                  const at::Tensor& probe) {
  std::vector<at::Tensor> inputs{x};
  inputs.insert(inputs.end(), mlp.weights.begin(), mlp.weights.end());
  inputs.insert(inputs.end(), mlp.biases.begin(), mlp.biases.end());
  return torch::autograd::grad({(y * probe).sum()}, inputs);
}

TEST(ReluMlp, ValueAndEveryGradientMatchSeparateLayers) {
  torch::manual_seed(1);
  for (const auto& sizes : {std::vector<int64_t>{3, 2}, {3, 7, 2}, {1, 8, 5, 4}}) {
    const auto mlp = make_mlp(sizes);
    const auto x = torch::randn({6, sizes.front()}, at::kDouble).requires_grad_();
    const auto probe = torch::randn({6, sizes.back()}, at::kDouble);
    const auto y = relu_mlp(x, mlp.weights, mlp.biases);
    const auto expected = reference(x, mlp);
    EXPECT_LE(test::max_abs_diff(y, expected), 1e-12);
    const auto got = gradients(y, x, mlp, probe);
    const auto want = gradients(expected, x, mlp, probe);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LE(test::max_abs_diff(got[i], want[i]), 1e-12) << "input " << i;
  }
}

// One piece, several pieces and a wide network; float32, which has kernels of its own.
TEST(ReluMlp, Float32MatchesSeparateLayersInFloat64) {
  torch::manual_seed(3);
  struct Case {
    int64_t rows;
    std::vector<int64_t> sizes;
  };
  for (const auto& [rows, sizes] :
       {Case{6, {3, 7, 2}}, Case{300, {1, 40, 130, 3}}, Case{70, {5, 400, 401, 9}}}) {
    const auto mlp = make_mlp(sizes);
    Mlp single;
    for (const auto& w : mlp.weights) single.weights.push_back(w.detach().to(at::kFloat).requires_grad_());
    for (const auto& b : mlp.biases) single.biases.push_back(b.detach().to(at::kFloat).requires_grad_());
    const auto x = torch::randn({rows, sizes.front()}, at::kDouble).requires_grad_();
    const auto probe = torch::randn({rows, sizes.back()}, at::kDouble);
    const auto x_single = x.detach().to(at::kFloat).requires_grad_();
    const auto y = relu_mlp(x_single, single.weights, single.biases);
    const auto expected = reference(x, mlp);
    EXPECT_LE(test::relative_error(y, expected), 1e-6) << rows;
    const auto got = gradients(y, x_single, single, probe.to(at::kFloat));
    const auto want = gradients(expected, x, mlp, probe);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LE(test::relative_error(got[i], want[i]), 2e-6) << rows << " rows, input " << i;
  }
}

TEST(ReluMlp, LeavesItsInputAndTheGradientItIsGivenUnchanged) {
  torch::manual_seed(2);
  const auto mlp = make_mlp({2, 4, 3});
  const auto x = torch::randn({5, 2}, at::kDouble);
  const auto x_before = x.clone();
  const auto probe = torch::randn({5, 3}, at::kDouble);
  const auto probe_before = probe.clone();
  relu_mlp(x, mlp.weights, mlp.biases).backward(probe);
  EXPECT_TRUE(torch::equal(x, x_before));
  EXPECT_TRUE(torch::equal(probe, probe_before));
}

TEST(ReluMlp, NamesTheLayerThatDoesNotFit) {
  auto mlp = make_mlp({2, 4, 3});
  mlp.weights[1] = torch::zeros({3, 5}, at::kDouble);
  try {
    relu_mlp(torch::zeros({1, 2}, at::kDouble), mlp.weights, mlp.biases);
    FAIL() << "expected a ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("layer 1"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace gen
