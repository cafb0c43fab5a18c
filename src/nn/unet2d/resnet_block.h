// The residual block of diffusers' UNets (ResnetBlock2D).
#pragma once

#include <torch/torch.h>

#include "nn/layers.h"
#include "nn/unet2d/options.h"

namespace gen {

enum class Resample { none, up, down, fir_up, fir_down };

struct ResnetBlockOptions {
  int64_t in = 0, out = 0;
  int64_t time_channels = 0;
  int64_t groups = 32, groups_out = 32;
  double eps = 1e-5, dropout = 0, output_scale_factor = 1;
  std::string act_fn = "silu";
  bool scale_shift = false;  ///< the time embedding scales and shifts the second norm instead of being added
  bool always_shortcut = false;  ///< a 1x1 convolution beside the block even where in == out
  Resample resample = Resample::none;
};

/// norm1, act, [resample], conv1, time, norm2, act, dropout, conv2; plus the input through conv_shortcut
/// where the widths differ; divided by output_scale_factor.
class ResnetBlock2d final : public torch::nn::Module {
 public:
  explicit ResnetBlock2d(const ResnetBlockOptions& options);
  /// x [B, in, H, W], or [B, in - S, H, W] with `skip` [B, S, H, W] to follow it along the channels; time
  /// [B, time_channels], activated already. `size` is that of an upsampled result; empty: twice x's.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& skip, const at::Tensor& time,
                     at::IntArrayRef size = {}) const;

 private:
  at::Tensor resampled(const at::Tensor& x, at::IntArrayRef size) const;
  at::Tensor normalized(const at::Tensor& x, const at::Tensor& skip) const;
  /// `time` is what time_emb_proj gives: [B, out], added before norm2, or with scale_shift [B, 2 out].
  at::Tensor normalized_with_time(const at::Tensor& x, const at::Tensor& time) const;

  ResnetBlockOptions options_;
  bool silu_;  ///< the activation is part of the norms' operation
  std::shared_ptr<GroupNorm> norm1_, norm2_;
  std::shared_ptr<Conv2d> conv1_, conv2_, conv_shortcut_;
  std::shared_ptr<Linear> time_emb_proj_;
};

}  // namespace gen
