#include "gen/core/check.h"
#include "nn/unet2d/block_parts.h"

namespace gen {
using namespace unet2d;

UpBlock::UpBlock(const UNet2dOptions& options, const BlockPlace& place) : skip_block_(is_skip(place.type)) {
  const bool attends = has_attention(place.type);
  auto resnets = register_module("resnets", std::make_shared<torch::nn::ModuleListImpl>());
  auto attentions =
      attends ? register_module("attentions", std::make_shared<torch::nn::ModuleListImpl>()) : nullptr;
  const auto attention = attention_options(options, place.type, place.out);
  for (int64_t i = 0; i <= options.layers_per_block; ++i) {
    const int64_t below = i == 0 ? place.previous : place.out;
    const int64_t skip = i == options.layers_per_block ? place.in : place.out;
    auto layer = skip_block_ ? skip_resnet_options(options, below + skip, place.out)
                             : resnet_options(options, below + skip, place.out, 1);
    // diffusers' AttnSkipUpBlock2D: min(below + skip // 4, 32).
    if (skip_block_ && attends) layer.groups = std::min<int64_t>(below + skip / 4, 32);
    resnets_.push_back(append<ResnetBlock2d>(*resnets, layer));
    if (attends && !skip_block_) attentions_.push_back(append<AttentionBlock>(*attentions, attention));
  }
  if (attends && skip_block_) attentions_.push_back(append<AttentionBlock>(*attentions, attention));
  if (place.last) return;
  if (skip_block_) {
    auto up = skip_resnet_options(options, place.out, place.out);
    up.always_shortcut = true;
    up.resample = Resample::fir_up;
    resnet_up_ = register_module("resnet_up", std::make_shared<ResnetBlock2d>(up));
    skip_conv_ = register_module("skip_conv", std::make_shared<Conv2d>(place.out, 3));
    skip_norm_ =
        register_module("skip_norm", std::make_shared<GroupNorm>(up.groups, place.out, options.norm_eps));
    return;
  }
  auto upsamplers = register_module("upsamplers", std::make_shared<torch::nn::ModuleListImpl>());
  if (place.type == "ResnetUpsampleBlock2D" || (attends && options.upsample_type == "resnet")) {
    auto up = resnet_options(options, place.out, place.out, 1);
    up.resample = Resample::up;
    resnet_up_ = append<ResnetBlock2d>(*upsamplers, up);
  } else {
    upsampler_ = append<Upsample2d>(*upsamplers, place.out);
  }
}

void UpBlock::forward(Flow& flow) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    GEN_CHECK(!flow.skips.empty(), "no skip left for an up block");
    const at::Tensor skip = std::move(flow.skips.back());
    flow.skips.pop_back();
    flow.h = resnets_[i]->forward(flow.h, skip, flow.time);
    if (i < attentions_.size() && !skip_block_) flow.h = attentions_[i]->forward(flow.h);
  }
  if (skip_block_) {
    if (!attentions_.empty()) flow.h = attentions_[0]->forward(flow.h);
    add_image(flow);
  }
  // The next block's first skip says how large to grow: odd sizes do not come back by doubling.
  const at::IntArrayRef size = flow.skips.empty() ? at::IntArrayRef() : flow.skips.back().sizes().slice(2);
  if (upsampler_) flow.h = upsampler_->forward(flow.h, size);
  if (resnet_up_) flow.h = resnet_up_->forward(flow.h, {}, flow.time, size);
}

void UpBlock::add_image(Flow& flow) const {
  if (flow.image.defined()) flow.image = fir_upsample(flow.image);
  if (!resnet_up_) return;
  const auto image = skip_conv_->forward(skip_norm_->forward(flow.h, /*silu=*/true));  // [B, 3, H, W]
  flow.image = flow.image.defined() ? flow.image + image : image;
}

}  // namespace gen
