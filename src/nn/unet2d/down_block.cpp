#include "nn/unet2d/block_parts.h"

namespace gen {
using namespace unet2d;

DownBlock::DownBlock(const UNet2dOptions& options, const BlockPlace& place) {
  auto resnets = register_module("resnets", std::make_shared<torch::nn::ModuleListImpl>());
  auto attentions = has_attention(place.type)
                        ? register_module("attentions", std::make_shared<torch::nn::ModuleListImpl>())
                        : nullptr;
  const bool skip = is_skip(place.type);
  const auto resnet = [&](int64_t in) {
    return skip ? skip_resnet_options(options, in, place.out) : resnet_options(options, in, place.out, 1);
  };
  for (int64_t i = 0; i < options.layers_per_block; ++i) {
    auto layer = resnet(i == 0 ? place.in : place.out);
    resnets_.push_back(append<ResnetBlock2d>(*resnets, layer));
    if (attentions)
      attentions_.push_back(
          append<AttentionBlock>(*attentions, attention_options(options, place.type, place.out)));
  }
  if (place.last) return;
  auto down = resnet(place.out);
  if (skip) {
    down.always_shortcut = true;
    down.resample = Resample::fir_down;
    resnet_down_ = register_module("resnet_down", std::make_shared<ResnetBlock2d>(down));
    skip_conv_ = register_module("skip_conv", std::make_shared<Conv2d>(3, place.out, Conv2dOptions{1, 1, 0}));
    return;
  }
  auto downsamplers = register_module("downsamplers", std::make_shared<torch::nn::ModuleListImpl>());
  if (place.type == "ResnetDownsampleBlock2D" ||
      (has_attention(place.type) && options.downsample_type == "resnet")) {
    down.resample = Resample::down;
    resnet_down_ = append<ResnetBlock2d>(*downsamplers, down);
  } else {
    downsampler_ = std::make_shared<Downsample2d>(place.out, options.downsample_padding);
    downsamplers->push_back(downsampler_);
  }
}

void DownBlock::forward(Flow& flow) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    flow.h = resnets_[i]->forward(flow.h, {}, flow.time);
    if (!attentions_.empty()) flow.h = attentions_[i]->forward(flow.h);
    flow.skips.push_back(flow.h);
  }
  if (downsampler_) flow.h = downsampler_->forward(flow.h);
  if (resnet_down_) flow.h = resnet_down_->forward(flow.h, {}, flow.time);
  if (skip_conv_) {
    flow.image = fir_downsample(flow.image);
    flow.h = skip_conv_->forward(flow.image) + flow.h;
  }
  if (downsampler_ || resnet_down_) flow.skips.push_back(flow.h);
}

}  // namespace gen
