// Time and class embeddings.
#pragma once

#include <torch/torch.h>

#include "nn/layers.h"
#include "nn/unet2d/options.h"

namespace gen {

/// Times [B] as vectors [B, width()], in float32: positional, Fourier features or a learned table.
class TimeProjection final : public torch::nn::Module {
 public:
  explicit TimeProjection(const UNet2dOptions& options);
  at::Tensor forward(const at::Tensor& t) const;
  int64_t width() const { return width_; }

 private:
  at::Tensor positional(const at::Tensor& t) const;

  std::string kind_;
  int64_t channels_, width_, freq_shift_;
  bool flip_sin_to_cos_;
  at::Tensor weight_;  ///< fourier: frequencies [channels]; learned: [times, channels]
};

/// linear_1, SiLU, linear_2.
class TimestepEmbedding final : public torch::nn::Module {
 public:
  TimestepEmbedding(int64_t in, int64_t out);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<Linear> linear_1_, linear_2_;
};

}  // namespace gen
