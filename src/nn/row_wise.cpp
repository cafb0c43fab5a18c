#include "gen/nn/row_wise.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <numbers>

#include "gen/ops/relu_mlp.h"
#include "nn/blockwise.h"
#include "nn/convolution.h"

namespace gen::row_wise {
namespace {

/// Where torch's own function is called as it is.
bool as_torch(const at::Tensor& x) {
  return (x.scalar_type() != at::kFloat && x.scalar_type() != at::kBFloat16) || !x.is_cpu() || x.numel() == 0;
}

bool in_autocast() { return at::autocast::is_autocast_enabled(at::kCPU); }
bool recording() { return at::GradMode::is_enabled(); }

// The functions below are made of operations that compute every element alike, wherever it lies: the four of arithmetic,
// which are exact, and exp, log1p, expm1, erf and tanh, whose loops have no tail of another kind.
template <class Formula>
at::Tensor by_formula(const at::Tensor& x, const Formula& formula) {
  return formula(x.to(at::kFloat)).to(x.scalar_type());
}

/// A 1 x 1 convolution: a product with each pixel's channels.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto all = bias.defined() ? bias : at::zeros({weight.size(0)}, weight.options());
  return linear(x.permute({0, 2, 3, 1}), weight.flatten(1), all).permute({0, 3, 1, 2});
}

at::Tensor exp_of_minus(const at::Tensor& x) { return at::neg(x).exp_(); }

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (as_torch(x) || x.dim() == 0 || in_autocast() || (recording() && x.scalar_type() != at::kFloat))
    return at::linear(x, weight, bias);
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  // One layer of it is x W^T + b by our own product.
  const auto y = relu_mlp(x.reshape({-1, x.size(-1)}).to(at::kFloat), {weight}, {bias});
  return y.to(x.scalar_type()).view(sizes);
}

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, int64_t stride,
                  int64_t padding) {
  if (as_torch(x) || !at::globalContext().userEnabledMkldnn())
    return at::conv2d(x, weight, bias, stride, padding);
  if (recording()) {
    if (weight.size(2) == 1 && stride == 1 && padding == 0) return pointwise(x, weight, bias);
    return convolution(x, weight, bias, {.stride = stride, .padding = padding});
  }
  if (in_autocast()) return at::conv2d(x, weight, bias, stride, padding);
  if (x.scalar_type() == at::kBFloat16 && !convolves_bfloat16()) {
    const auto wide = [](const at::Tensor& t) { return t.defined() ? t.to(at::kFloat) : t; };
    return conv2d(wide(x), wide(weight), wide(bias), stride, padding).to(at::kBFloat16);
  }
  // at::conv2d leaves oneDNN for a single small image.
  return at::mkldnn_convolution(x, weight, bias, {padding, padding}, {stride, stride}, {1, 1}, /*groups=*/1);
}

at::Tensor conv_transpose2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            int64_t stride, int64_t padding, at::IntArrayRef output_padding) {
  if (!as_torch(x) && recording())
    return convolution(
        x, weight, bias,
        {.stride = stride, .padding = padding, .transposed = true, .output_padding = output_padding.vec()});
  if (as_torch(x) || in_autocast())
    return at::conv_transpose2d(x, weight, bias, stride, padding, output_padding);
  // oneDNN sums in another order for some batches: which, depends on channels and instruction set. So: each pixel's
  // kernel by a product, then all of them laid over each other.
  const int64_t k = weight.size(2);
  const auto size = [&](int64_t d) {
    return (x.size(d + 2) - 1) * stride - 2 * padding + k + output_padding[static_cast<size_t>(d)];
  };
  const auto pixels = x.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, H W, in]
  const auto kernels = weight.flatten(1).t();                 // [out k k, in]
  const auto columns = linear(pixels, kernels, at::zeros({kernels.size(0)}, x.options())).transpose(1, 2);
  return at::col2im(columns, {size(0), size(1)}, {k, k}, {1, 1}, {padding, padding}, {stride, stride})
      .add_(bias.view({1, -1, 1, 1}));
}

at::Tensor sum_of_each(const at::Tensor& x) {
  constexpr int64_t kShare = 1 << 14;  // half of what LibTorch would give to several threads
  if (x.size(0) != 1 || x.numel() <= kShare) return x.flatten(1).sum(1);
  std::vector<at::Tensor> shares;
  for (const auto& share : x.flatten().split(kShare)) shares.push_back(share.sum());
  return at::stack(shares).sum(0, /*keepdim=*/true);
}

at::Tensor one_for_each(const at::Tensor& parameter, const at::Tensor& x) {
  auto sizes = parameter.sizes().vec();
  sizes.insert(sizes.begin(), static_cast<size_t>(x.dim() - parameter.dim()), 1);
  sizes[0] = x.size(0);
  return parameter.expand(sizes);
}

at::Tensor sigmoid(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::sigmoid, x);
  if (as_torch(x) || in_autocast()) return at::sigmoid(x);
  return by_formula(x, [](const at::Tensor& y) { return exp_of_minus(y).add_(1).reciprocal_(); });
}

at::Tensor silu(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::silu, x);
  if (as_torch(x) || in_autocast()) return at::silu(x);
  return by_formula(x, [](const at::Tensor& y) { return y / exp_of_minus(y).add_(1); });
}

at::Tensor gelu(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::gelu, x);
  if (as_torch(x) || in_autocast()) return at::gelu(x);
  return by_formula(x, [](const at::Tensor& y) {
    return at::mul(y, 1 / std::numbers::sqrt2).erf_().add_(1).mul_(y).mul_(0.5);
  });
}

at::Tensor softplus(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::softplus, x);
  if (as_torch(x) || in_autocast()) return at::softplus(x);
  // max(x, 0) + log(1 + exp(-|x|)), finite for every x.
  return by_formula(
      x, [](const at::Tensor& y) { return exp_of_minus(y.abs()).log1p_().add_(at::clamp_min(y, 0)); });
}

at::Tensor mish(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::mish, x);
  if (as_torch(x) || in_autocast()) return at::mish(x);
  return by_formula(x, [](const at::Tensor& y) { return row_wise::softplus(y).tanh_().mul_(y); });
}

at::Tensor logit(const at::Tensor& x) {
  return as_torch(x) || in_autocast() ? at::logit(x) : blockwise(ElementFunction::logit, x);
}

at::Tensor log_sigmoid(const at::Tensor& x) {
  return as_torch(x) || in_autocast() ? at::log_sigmoid(x) : blockwise(ElementFunction::log_sigmoid, x);
}

at::Tensor elu(const at::Tensor& x) {
  if (!as_torch(x) && recording()) return blockwise(ElementFunction::elu, x);
  if (as_torch(x) || in_autocast()) return at::elu(x);
  return by_formula(x, [](const at::Tensor& y) { return at::where(y > 0, y, at::clamp_max(y, 0).expm1_()); });
}

}  // namespace gen::row_wise
