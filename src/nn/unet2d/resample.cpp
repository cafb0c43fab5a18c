#include "nn/unet2d/resample.h"

#include "gen/core/error.h"

namespace gen {
namespace {

/// The 4 x 4 filter for each of x's channels, summing to `gain`.
at::Tensor fir_kernel(const at::Tensor& x, double gain) {
  const auto line = at::tensor({1.0, 3.0, 3.0, 1.0}, at::kDouble) / 8.0;
  return (at::outer(line, line) * gain).to(x.options()).expand({x.size(1), 1, 4, 4}).contiguous();
}

}  // namespace

Downsample2d::Downsample2d(int64_t channels, int64_t padding) : padding_(padding) {
  conv_ = register_module(
      "conv", std::make_shared<Conv2d>(channels, channels,
                                       Conv2dOptions{.kernel = 3, .stride = 2, .padding = padding}));
}

at::Tensor Downsample2d::forward(const at::Tensor& x) const {
  return conv_->forward(padding_ == 0 ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

Upsample2d::Upsample2d(int64_t channels) {
  conv_ = register_module("conv", std::make_shared<Conv2d>(channels, channels));
}

at::Tensor Upsample2d::forward(const at::Tensor& x, at::IntArrayRef size) const {
  return conv_->forward(upsample_nearest(x, size));
}

at::Tensor upsample_nearest(const at::Tensor& x, at::IntArrayRef size) {
  return at::upsample_nearest2d(x, size.empty() ? at::IntArrayRef({2 * x.size(2), 2 * x.size(3)}) : size);
}

at::Tensor fir_downsample(const at::Tensor& x) {
  if (x.size(2) % 2 != 0 || x.size(3) % 2 != 0)
    throw ShapeError(fmt::format("Skip blocks: expected an even height and width at every level, got {} x {}",
                                 x.size(2), x.size(3)));
  return at::conv2d(x, fir_kernel(x, 1), {}, /*stride=*/2, /*padding=*/1, /*dilation=*/1,
                    /*groups=*/x.size(1));
}

at::Tensor fir_upsample(const at::Tensor& x) {
  // Zeros between the samples and then the filter, with a gain of 4 to keep the mean: a transposed
  // convolution.
  return at::conv_transpose2d(x, fir_kernel(x, 4), {}, /*stride=*/2, /*padding=*/1, /*output_padding=*/0,
                              /*groups=*/x.size(1));
}

}  // namespace gen
