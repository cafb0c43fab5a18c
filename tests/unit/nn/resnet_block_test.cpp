#include "nn/unet2d/resnet_block.h"

#include <gtest/gtest.h>

#include "support/support.h"

namespace gen {
namespace {

/// diffusers' ResnetBlock2D with time_embedding_norm = "scale_shift", of the block's weights and torch's operations.
at::Tensor scale_shift_formula(const ResnetBlock2d& block, const ResnetBlockOptions& o, const at::Tensor& x,
                               const at::Tensor& time) {
  const auto w = block.named_parameters();
  const auto convolve = [&](const at::Tensor& h, const std::string& name, int64_t padding) {
    return at::conv2d(h, w[name + ".weight"], w[name + ".bias"], 1, padding);
  };
  auto h = activate(at::group_norm(x, o.groups, w["norm1.weight"], w["norm1.bias"], o.eps), o.act_fn);
  h = convolve(h, "conv1", 1);
  const auto parts =
      at::linear(time, w["time_emb_proj.weight"], w["time_emb_proj.bias"]).unflatten(1, {2, o.out, 1, 1});
  h = at::group_norm(h, o.groups_out, w["norm2.weight"], w["norm2.bias"], o.eps);
  h = activate(h * (1 + parts.select(1, 0)) + parts.select(1, 1), o.act_fn);
  return convolve(h, "conv2", 1) + convolve(x, "conv_shortcut", 0);
}

TEST(ResnetBlock2d, ScaleShiftIsItsFormulaForwardAndBackward) {
  for (const char* act_fn : {"silu", "gelu"}) {
    torch::manual_seed(0);
    ResnetBlockOptions o{.in = 8, .out = 12, .time_channels = 6, .groups = 4, .groups_out = 3};
    o.act_fn = act_fn;
    o.scale_shift = true;
    ResnetBlock2d block(o);
    {
      const at::NoGradGuard no_grad;
      for (auto& item : block.named_parameters()) item.value().add_(torch::randn_like(item.value()), 0.1);
    }
    const auto x = torch::randn({3, 8, 7, 5}).requires_grad_(), time = torch::randn({3, 6}).requires_grad_();
    const auto y = block.forward(x, {}, time), formula = scale_shift_formula(block, o, x, time);
    EXPECT_LT(test::max_abs_diff(y, formula), 1e-5) << act_fn;
    auto inputs = block.parameters();
    inputs.push_back(x);
    inputs.push_back(time);
    const auto upstream = torch::randn(y.sizes());
    const auto grads = torch::autograd::grad({y}, inputs, {upstream});
    const auto reference = torch::autograd::grad({formula}, inputs, {upstream});
    for (size_t i = 0; i < grads.size(); ++i)
      EXPECT_LT(test::max_abs_diff(grads[i], reference[i]), 2e-4) << act_fn << i;
  }
}

}  // namespace
}  // namespace gen
