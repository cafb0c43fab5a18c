// Group norms of many shapes, and their definition in torch's operations.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "gen/ops/group_norm_silu.h"
#include "support/support.h"

namespace gen::group_norm_test {

struct Case {
  const char* name;
  std::vector<int64_t> shape;  ///< of x
  int64_t skip, groups;
  bool channels_last, shift, silu, film = false;
};

inline const std::vector<Case> kCases{
    {"planes", {3, 6, 5, 7}, 0, 3, false, false, true},
    {"planes, no silu", {3, 6, 5, 7}, 0, 2, false, false, false},
    {"planes, skip and shift", {2, 5, 6, 6}, 7, 4, false, true, true},
    {"last", {3, 6, 5, 7}, 0, 3, true, false, true},
    {"last, wide", {2, 96, 9, 9}, 0, 32, true, true, true},
    {"last, a group over both parts", {2, 64, 8, 8}, 32, 32, true, true, true},
    {"last, odd parts", {2, 19, 3, 5}, 14, 3, true, true, true},
    {"last, one image cut into slices", {1, 40, 16, 16}, 24, 4, true, true, true},
    {"one group", {2, 10, 4, 4}, 0, 1, true, false, true},
    {"one channel a group", {2, 18, 4, 4}, 0, 18, true, true, false},
    {"one channel", {4, 1, 6, 6}, 0, 1, true, true, true},
    {"many pixels", {1, 4, 50, 50}, 0, 2, true, true, true},
    {"many pixels in planes", {1, 4, 50, 50}, 0, 2, false, true, true},
    {"sequence", {2, 8, 11}, 4, 4, false, true, true},
    {"vectors", {5, 12}, 0, 4, false, false, true},
    {"planes, film", {3, 6, 5, 7}, 0, 3, false, false, true, true},
    {"planes, everything", {2, 5, 8, 8}, 7, 4, false, true, true, true},
    {"last, film without silu", {2, 24, 5, 5}, 0, 4, true, false, false, true},
    {"last, everything", {2, 40, 16, 16}, 24, 4, true, true, true, true},
};

struct Inputs {
  at::Tensor x, skip, weight, bias, shift, film_scale, film_shift;
  std::vector<at::Tensor> all() const {
    std::vector<at::Tensor> defined;
    for (const auto& t : {x, skip, weight, bias, shift, film_scale, film_shift})
      if (t.defined()) defined.push_back(t);
    return defined;
  }
  ops::GroupNormArgs args(const Case& c) const {
    return {c.groups, weight, bias, 1e-5, c.silu, skip, shift, film_scale, film_shift};
  }
};

inline Inputs make_inputs(const Case& c, at::ScalarType dtype) {
  torch::manual_seed(1);
  const auto image = [&](int64_t channels) {
    auto shape = c.shape;
    shape[1] = channels;
    auto t = torch::randn(shape) * 2 + 3;  // a mean that is not small beside the deviation
    t = t.to(dtype);
    if (c.channels_last) t = t.contiguous(at::MemoryFormat::ChannelsLast);
    return t.requires_grad_();
  };
  const int64_t C = c.shape[1] + c.skip;
  Inputs in;
  in.x = image(c.shape[1]);
  if (c.skip > 0) in.skip = image(c.skip);
  const auto parameters = dtype == at::kDouble ? at::kDouble : at::kFloat;
  in.weight = torch::randn({C}, parameters).requires_grad_();
  in.bias = torch::randn({C}, parameters).requires_grad_();
  if (c.shift) in.shift = torch::randn({c.shape[0], C}).to(dtype).requires_grad_();
  if (c.film) {
    in.film_scale = torch::randn({c.shape[0], C}).to(dtype).requires_grad_();
    in.film_shift = torch::randn({c.shape[0], C}).to(dtype).requires_grad_();
  }
  return in;
}

inline Inputs in_double(const Inputs& in) {
  const auto convert = [](const at::Tensor& t) {
    return t.defined() ? t.detach().to(at::kDouble).requires_grad_() : at::Tensor();
  };
  return {convert(in.x),     convert(in.skip),       convert(in.weight),    convert(in.bias),
          convert(in.shift), convert(in.film_scale), convert(in.film_shift)};
}

/// The definition, in torch's operations.
inline at::Tensor plain(const Inputs& in, const Case& c) {
  auto h = in.skip.defined() ? at::cat({in.x, in.skip}, 1) : in.x;
  auto sizes = std::vector<int64_t>(static_cast<size_t>(h.dim()), 1);
  sizes[0] = h.size(0);
  sizes[1] = h.size(1);
  if (in.shift.defined()) h = h + in.shift.view(sizes);
  const auto grouped = h.reshape({h.size(0), c.groups, -1});
  const auto mean = grouped.mean(2, true);
  const auto variance = (grouped - mean).square().mean(2, true);
  sizes[0] = 1;
  h = ((grouped - mean) / (variance + 1e-5).sqrt()).reshape(h.sizes()) * in.weight.view(sizes) +
      in.bias.view(sizes);
  if (in.film_scale.defined()) {
    sizes[0] = h.size(0);
    h = h * (1 + in.film_scale.view(sizes)) + in.film_shift.view(sizes);
  }
  return c.silu ? h * at::sigmoid(h) : h;
}

inline void expect_near(const at::Tensor& got, const at::Tensor& expected, double tolerance,
                        const std::string& what) {
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT(test::max_abs_diff(got.to(at::kDouble), expected) / scale, tolerance) << what;
}

}  // namespace gen::group_norm_test
