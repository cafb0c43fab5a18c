#include "nn/unet2d/block_parts.h"

namespace gen {
using namespace unet2d;

MidBlock::MidBlock(const UNet2dOptions& options, int64_t channels) {
  const auto resnet = resnet_options(options, channels, channels, options.mid_block_scale_factor);
  auto resnets = register_module("resnets", std::make_shared<torch::nn::ModuleListImpl>());
  resnets_.push_back(append<ResnetBlock2d>(*resnets, resnet));
  if (options.add_attention) {
    auto attentions = register_module("attentions", std::make_shared<torch::nn::ModuleListImpl>());
    auto attention = attention_options(options, "UNetMidBlock2D", channels);
    attention.output_scale_factor = options.mid_block_scale_factor;
    // diffusers leaves the norm out altogether where neither is said.
    attention.groups =
        options.attn_norm_num_groups.value_or(resnet.scale_shift ? 0 : options.groups(channels));
    attention_ = append<AttentionBlock>(*attentions, attention);
  }
  resnets_.push_back(append<ResnetBlock2d>(*resnets, resnet));
}

void MidBlock::forward(Flow& flow) const {
  flow.h = resnets_[0]->forward(flow.h, {}, flow.time);
  if (attention_) flow.h = attention_->forward(flow.h);
  flow.h = resnets_[1]->forward(flow.h, {}, flow.time);
}

}  // namespace gen
