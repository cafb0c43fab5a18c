// Self-attention over the pixels of an image (diffusers' Attention as its UNet2DModel uses it).
#pragma once

#include <torch/torch.h>

#include "gen/ops/attention.h"
#include "nn/layers.h"

namespace gen {

struct AttentionBlockOptions {
  int64_t channels = 0, head_dim = 8;
  int64_t groups = 32;  ///< of the norm before it; 0: no norm
  double eps = 1e-5, output_scale_factor = 1;
  ops::AttentionPath path = ops::AttentionPath::automatic;
};

class AttentionBlock final : public torch::nn::Module {
 public:
  /// Throws ConfigError where head_dim exceeds the channels.
  explicit AttentionBlock(const AttentionBlockOptions& options);
  /// x [B, C, H, W] -> (x + attention(norm(x))) / output_scale_factor
  at::Tensor forward(const at::Tensor& x) const;

 private:
  AttentionBlockOptions options_;
  int64_t heads_;
  std::shared_ptr<GroupNorm> group_norm_;
  std::shared_ptr<Linear> to_q_, to_k_, to_v_, to_out_;
};

}  // namespace gen
