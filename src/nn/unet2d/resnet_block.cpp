#include "nn/unet2d/resnet_block.h"

#include "gen/core/check.h"
#include "nn/unet2d/resample.h"

namespace gen {

ResnetBlock2d::ResnetBlock2d(const ResnetBlockOptions& o)
    : options_(o), silu_(o.act_fn == "silu" || o.act_fn == "swish") {
  norm1_ = register_module("norm1", std::make_shared<GroupNorm>(o.groups, o.in, o.eps));
  conv1_ = register_module("conv1", std::make_shared<Conv2d>(o.in, o.out));
  time_emb_proj_ = register_module(
      "time_emb_proj", std::make_shared<Linear>(o.time_channels, o.scale_shift ? 2 * o.out : o.out));
  norm2_ = register_module("norm2", std::make_shared<GroupNorm>(o.groups_out, o.out, o.eps));
  conv2_ = register_module("conv2", std::make_shared<Conv2d>(o.out, o.out));
  if (o.in != o.out || o.always_shortcut)
    conv_shortcut_ =
        register_module("conv_shortcut", std::make_shared<Conv2d>(o.in, o.out, Conv2dOptions{1, 1, 0}));
}

at::Tensor ResnetBlock2d::resampled(const at::Tensor& x, at::IntArrayRef size) const {
  switch (options_.resample) {
    case Resample::none:
      return x;
    case Resample::up:
      return upsample_nearest(x, size);
    case Resample::down:
      return at::avg_pool2d(x, 2, 2);
    case Resample::fir_up:
      return fir_upsample(x);
    case Resample::fir_down:
      return fir_downsample(x);
  }
  return x;
}

at::Tensor ResnetBlock2d::normalized(const at::Tensor& x, const at::Tensor& skip) const {
  const auto h = norm1_->forward(x, skip, {}, silu_);
  return silu_ ? h : activate(h, options_.act_fn);
}

at::Tensor ResnetBlock2d::normalized_with_time(const at::Tensor& x, const at::Tensor& time) const {
  at::Tensor h;
  if (options_.scale_shift) {
    const auto parts = time.chunk(2, 1);
    h = norm2_->modulated(x, parts[0], parts[1], silu_);
  } else {
    h = norm2_->forward(x, {}, time, silu_);
  }
  return silu_ ? h : activate(h, options_.act_fn);
}

at::Tensor ResnetBlock2d::forward(const at::Tensor& x, const at::Tensor& skip, const at::Tensor& time,
                                  at::IntArrayRef size) const {
  GEN_CHECK(!skip.defined() || (conv_shortcut_ && options_.resample == Resample::none),
            "a block with a skip has a conv_shortcut and keeps the size");
  auto h = conv1_->forward(resampled(normalized(x, skip), size));  // [B, out, H', W']
  h = normalized_with_time(h, time_emb_proj_->forward(time));
  if (options_.dropout > 0) h = at::dropout(h, options_.dropout, is_training());
  h = conv2_->forward(h);
  if (skip.defined()) {
    h = h.add_(conv_shortcut_->forward(x, skip));
  } else {
    const auto input = resampled(x, size);
    h = h.add_(conv_shortcut_ ? conv_shortcut_->forward(input) : input);
  }
  return options_.output_scale_factor == 1 ? h : h.div_(options_.output_scale_factor);
}

}  // namespace gen
