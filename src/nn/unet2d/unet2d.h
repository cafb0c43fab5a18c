// diffusers' UNet2DModel: its architecture, parameter names, config keys and, for the same seed, initial
// weights (Ho et al. 2020; Song et al. 2021 for the Skip blocks).
#pragma once

#include "gen/nn/network.h"
#include "nn/unet2d/blocks.h"
#include "nn/unet2d/embedding.h"

namespace gen {

class UNet2d final : public DenoisingNetwork {
 public:
  /// Options with sample_size, in_channels and out_channels known.
  explicit UNet2d(UNet2dOptions options);
  /// sample [B, in_channels, H, W]; timestep [B] or one for all; class_labels [B] int64 ("identity": [B, time
  /// channels]). Returns [B, out_channels, H, W] in sample's dtype. Throws ShapeError.
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& class_labels) override;
  std::vector<int64_t> input_shape() const override { return {*options_.in_channels, -1, -1}; }
  int64_t num_classes() const override { return class_embedding_ ? *options_.num_class_embeds : 0; }
  Json ecosystem_config() const override { return to_diffusers_config(options_); }
  bool computes_in(at::ScalarType dtype) const override {
    return dtype == at::kFloat || dtype == at::kBFloat16;
  }
  void prepare_inference(at::ScalarType dtype) override;
  void train(bool on = true) override;

 private:
  void check(const at::Tensor& sample, const at::Tensor& timestep, const at::Tensor& class_labels) const;
  at::Tensor embed(const at::Tensor& timestep, const at::Tensor& class_labels, at::ScalarType dtype) const;

  UNet2dOptions options_;
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::shared_ptr<TimeProjection> time_proj_;
  std::shared_ptr<TimestepEmbedding> time_embedding_, class_time_embedding_;
  torch::nn::Embedding class_embedding_{nullptr};
  std::vector<std::shared_ptr<DownBlock>> down_blocks_;
  std::shared_ptr<MidBlock> mid_block_;
  std::vector<std::shared_ptr<UpBlock>> up_blocks_;
  std::shared_ptr<GroupNorm> conv_norm_out_;
  std::optional<at::ScalarType> inference_dtype_;  // set while the layers are packed
};

/// Fills the options that are null from `context`. Throws OptionError where the data are not images, where
/// neither says a size, and with every option that disagrees with the data, their labels or the times.
std::shared_ptr<DenoisingNetwork> make_unet2d(const UNet2dOptions& options, const NetworkContext& context);

}  // namespace gen
