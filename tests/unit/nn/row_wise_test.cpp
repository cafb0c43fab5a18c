#include "gen/nn/row_wise.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "support/support.h"

namespace gen {
namespace {

using Function = at::Tensor (*)(const at::Tensor&);
struct Case {
  const char* name;
  Function ours, torchs;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {"sigmoid", row_wise::sigmoid, [](const at::Tensor& x) { return at::sigmoid(x); }},
      {"silu", row_wise::silu, [](const at::Tensor& x) { return at::silu(x); }},
      {"gelu", row_wise::gelu, [](const at::Tensor& x) { return at::gelu(x); }},
      {"softplus", row_wise::softplus, [](const at::Tensor& x) { return at::softplus(x); }},
      {"mish", row_wise::mish, [](const at::Tensor& x) { return at::mish(x); }},
      {"elu", row_wise::elu, [](const at::Tensor& x) { return at::elu(x); }}};
  return list;
}

// Rows whose length is no multiple of a vector, together more than one thread's share.
at::Tensor rows(at::ScalarType dtype, int64_t count, int64_t width) {
  torch::manual_seed(3);
  return (torch::randn({count, width}) * 4).to(dtype);
}

template <class Apply>
void expect_same_bits_in_parts(const at::Tensor& x, const Apply& apply, const char* name) {
  const auto whole = apply(x);
  for (const int64_t size : {1, 2, 3, 7, 64}) {
    std::vector<at::Tensor> parts;
    for (const auto& part : x.split(size)) parts.push_back(apply(part));
    EXPECT_TRUE(at::equal(at::cat(parts), whole)) << name << " in parts of " << size;
  }
}

/// y and the gradients of every input, for each number of threads; the first is that of one thread.
template <class Apply>
std::vector<std::vector<at::Tensor>> with_threads(const std::vector<at::Tensor>& inputs, const Apply& apply) {
  const int before = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    std::vector<at::Tensor> x;
    for (const auto& each : inputs) x.push_back(each.detach().requires_grad_());
    const at::Tensor y = apply(x);
    torch::manual_seed(9);
    auto result = torch::autograd::grad({y}, x, {torch::randn(y.sizes()).to(y.scalar_type())});
    result.push_back(y.detach());
    results.push_back(result);
  }
  at::set_num_threads(before);
  return results;
}

template <class Apply>
void expect_same_on_any_threads(const std::vector<at::Tensor>& inputs, const Apply& apply,
                                const std::string& name) {
  const auto results = with_threads(inputs, apply);
  for (size_t n = 1; n < results.size(); ++n)
    for (size_t i = 0; i < results[n].size(); ++i)
      EXPECT_TRUE(at::equal(results[n][i], results[0][i]))
          << name << ": " << n + 1 << " threads, result " << i;
}

TEST(RowWise, FunctionsTrainToTheSameBitsOnAnyNumberOfThreads) {
  auto list = cases();
  list.push_back({"log_sigmoid", row_wise::log_sigmoid, {}});
  for (const auto& each : list)
    expect_same_on_any_threads(
        {rows(at::kFloat, 2333, 31)}, [&](const auto& x) { return each.ours(x[0]); }, each.name);
  expect_same_on_any_threads(
      {rows(at::kFloat, 1, 70001)}, [](const auto& x) { return row_wise::sum_of_each(x[0]); }, "sum_of_each");
  expect_same_on_any_threads(
      {torch::randn({1, 1, 1}), torch::randn({64, 1, 28, 28})},
      [](const auto& x) { return x[1] * row_wise::one_for_each(x[0], x[1]); }, "one_for_each");
}

TEST(RowWise, FunctionsHaveTorchsGradients) {
  auto list = cases();
  list.push_back(
      {"log_sigmoid", row_wise::log_sigmoid, [](const at::Tensor& x) { return at::log_sigmoid(x); }});
  for (const auto& each : list) {
    const auto x = rows(at::kFloat, 50, 33).requires_grad_();
    const auto dy = torch::randn({50, 33});
    const auto ours = torch::autograd::grad({each.ours(x)}, {x}, {dy})[0],
               torchs = torch::autograd::grad({each.torchs(x)}, {x}, {dy})[0];
    EXPECT_TRUE(at::allclose(ours, torchs, 1e-5, 1e-6))
        << each.name << " " << test::max_abs_diff(ours, torchs);
  }
}

struct ConvolutionCase {
  int64_t batch, in, out, size, kernel, stride;
  bool transposed = false;
};

TEST(RowWise, ConvolutionsTrainToTheSameBitsOnAnyNumberOfThreadsAndHaveTorchsGradients) {
  for (const ConvolutionCase c : {ConvolutionCase{16, 16, 3, 16, 3, 1},
                                  {16, 3, 16, 16, 3, 1},
                                  {16, 32, 16, 16, 1, 1},
                                  {3, 32, 16, 7, 1, 1},
                                  {2, 8, 8, 5, 3, 1},
                                  {33, 1, 32, 28, 4, 2},
                                  {16, 16, 8, 8, 4, 2, true},
                                  {33, 32, 1, 14, 4, 2, true}}) {
    const int64_t padding = c.kernel == 1 ? 0 : 1;
    torch::manual_seed(8);
    const auto channels = c.transposed ? std::pair{c.in, c.out} : std::pair{c.out, c.in};
    const std::vector<at::Tensor> inputs{
        torch::randn({c.batch, c.in, c.size, c.size}).contiguous(at::MemoryFormat::ChannelsLast),
        torch::randn({channels.first, channels.second, c.kernel, c.kernel}), torch::randn({c.out})};
    const auto name =
        std::to_string(c.in) + " to " + std::to_string(c.out) + " by " + std::to_string(c.kernel);
    const auto ours = [&](const auto& x) {
      return c.transposed ? row_wise::conv_transpose2d(x[0], x[1], x[2], c.stride, padding, {0, 0})
                          : row_wise::conv2d(x[0], x[1], x[2], c.stride, padding);
    };
    const auto torchs = [&](const auto& x) {
      return c.transposed ? at::conv_transpose2d(x[0], x[1], x[2], c.stride, padding)
                          : at::conv2d(x[0], x[1], x[2], c.stride, padding);
    };
    expect_same_on_any_threads(inputs, ours, name);
    const auto got = with_threads(inputs, ours)[0], expected = with_threads(inputs, torchs)[0];
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LT(test::relative_error(got[i], expected[i]), 1e-5) << name << ", result " << i;
  }
}

TEST(RowWise, FunctionsAgreeWithTorchsAndEndSmoothly) {
  const torch::NoGradGuard no_grad;
  auto x = rows(at::kFloat, 50, 33);
  x[0].fill_(200), x[1].fill_(-200);
  for (const auto& each : cases()) {
    const auto y = each.ours(x), expected = each.torchs(x);
    EXPECT_TRUE(at::allclose(y, expected, 2e-6, 1e-6)) << each.name << " " << test::max_abs_diff(y, expected);
  }
}

TEST(RowWise, ARowOfAFunctionDoesNotDependOnTheOthers) {
  const torch::NoGradGuard no_grad;
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const auto& each : cases()) {
      EXPECT_EQ(each.ours(rows(dtype, 2, 5)).scalar_type(), dtype);
      expect_same_bits_in_parts(rows(dtype, 3001, 33), each.ours, each.name);
    }
}

TEST(RowWise, ARowOfALinearLayerDoesNotDependOnTheOthers) {
  const torch::NoGradGuard no_grad;
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{33, 70}, {256, 512}, {2, 64}}) {
      const auto weight = torch::randn({out, in}), bias = torch::randn({out});
      const auto x = rows(dtype, 300, in);
      const auto y = row_wise::linear(x, weight, bias);
      EXPECT_EQ(y.scalar_type(), dtype);
      const auto expected = at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
      EXPECT_TRUE(at::allclose(y.to(at::kDouble), expected, dtype == at::kFloat ? 1e-4 : 1e-2, 1e-3));
      expect_same_bits_in_parts(
          x, [&](const at::Tensor& part) { return row_wise::linear(part, weight, bias); }, "linear");
    }
}

TEST(RowWise, AnImageOfAConvolutionDoesNotDependOnTheOthers) {
  const torch::NoGradGuard no_grad;
  for (const int64_t kernel : {1, 3})
    for (const int64_t side : {2, 8}) {
      const auto weight = torch::randn({6, 5, kernel, kernel}), bias = torch::randn({6});
      const auto x = torch::randn({70, 5, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
      const auto convolve = [&](const at::Tensor& part) {
        return row_wise::conv2d(part, weight, bias, 1, kernel / 2);
      };
      EXPECT_TRUE(at::allclose(convolve(x), at::conv2d(x, weight, bias, 1, kernel / 2), 1e-5, 1e-5));
      expect_same_bits_in_parts(x, convolve, "conv2d");
    }
}

TEST(RowWise, AnImageOfATransposedConvolutionDoesNotDependOnTheOthers) {
  const torch::NoGradGuard no_grad;
  for (const auto& odd : {std::vector<int64_t>{0, 0}, {1, 0}}) {
    const auto weight = torch::randn({32, 3, 4, 4}), bias = torch::randn({3});
    const auto x = torch::randn({70, 32, 8, 6});
    const auto convolve = [&](const at::Tensor& part) {
      return row_wise::conv_transpose2d(part, weight, bias, 2, 1, odd);
    };
    EXPECT_TRUE(at::allclose(convolve(x), at::conv_transpose2d(x, weight, bias, 2, 1, odd), 1e-4, 1e-4));
    expect_same_bits_in_parts(x, convolve, "conv_transpose2d");
  }
}

TEST(RowWise, IsTorchsOwnWhereGradientsAreRecorded) {
  const auto x = rows(at::kFloat, 7, 33).requires_grad_();
  for (const auto& each : cases()) {
    EXPECT_TRUE(at::equal(each.ours(x), each.torchs(x))) << each.name;
    EXPECT_TRUE(each.ours(x).requires_grad()) << each.name;
  }
}

}  // namespace
}  // namespace gen
