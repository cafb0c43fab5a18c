// The down, mid and up blocks of diffusers' UNet2DModel, all of its block types in one class each.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "nn/unet2d/attention_block.h"
#include "nn/unet2d/options.h"
#include "nn/unet2d/resample.h"
#include "nn/unet2d/resnet_block.h"

namespace gen {

/// Where a block stands.
struct BlockPlace {
  std::string type;
  int64_t in = 0, out = 0;
  int64_t previous = 0;  ///< up blocks: channels from below; `in` is then that of the last skip
  bool last = false;     ///< the last down or up block does not change the resolution
};

/// What flows along the network.
struct Flow {
  at::Tensor h;                   ///< [B, C, H, W]
  at::Tensor time;                ///< [B, time_channels], activated
  std::vector<at::Tensor> skips;  ///< pushed on the way down, popped on the way up
  at::Tensor image;               ///< Skip blocks: the image at this resolution [B, 3, H, W]
};

/// DownBlock2D, AttnDownBlock2D, ResnetDownsampleBlock2D, SkipDownBlock2D, AttnSkipDownBlock2D.
class DownBlock final : public torch::nn::Module {
 public:
  DownBlock(const UNet2dOptions& options, const BlockPlace& place);
  void forward(Flow& flow) const;

 private:
  std::vector<std::shared_ptr<ResnetBlock2d>> resnets_;
  std::vector<std::shared_ptr<AttentionBlock>> attentions_;
  std::shared_ptr<Downsample2d> downsampler_;
  std::shared_ptr<ResnetBlock2d> resnet_down_;
  std::shared_ptr<Conv2d> skip_conv_;
};

/// UNetMidBlock2D.
class MidBlock final : public torch::nn::Module {
 public:
  MidBlock(const UNet2dOptions& options, int64_t channels);
  void forward(Flow& flow) const;

 private:
  std::vector<std::shared_ptr<ResnetBlock2d>> resnets_;
  std::shared_ptr<AttentionBlock> attention_;
};

/// UpBlock2D, AttnUpBlock2D, ResnetUpsampleBlock2D, SkipUpBlock2D, AttnSkipUpBlock2D.
class UpBlock final : public torch::nn::Module {
 public:
  UpBlock(const UNet2dOptions& options, const BlockPlace& place);
  void forward(Flow& flow) const;

 private:
  void add_image(Flow& flow) const;

  bool skip_block_;
  std::vector<std::shared_ptr<ResnetBlock2d>> resnets_;
  std::vector<std::shared_ptr<AttentionBlock>>
      attentions_;  ///< one a resnet; AttnSkipUpBlock2D: one at the end
  std::shared_ptr<Upsample2d> upsampler_;
  std::shared_ptr<ResnetBlock2d> resnet_up_;
  std::shared_ptr<Conv2d> skip_conv_;
  std::shared_ptr<GroupNorm> skip_norm_;
};

}  // namespace gen
