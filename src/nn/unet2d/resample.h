// Halving and doubling the resolution.
#pragma once

#include <torch/torch.h>

#include "nn/layers.h"

namespace gen {

/// A stride-2 convolution. padding 0 pads right and below by one (diffusers' convention).
class Downsample2d final : public torch::nn::Module {
 public:
  Downsample2d(int64_t channels, int64_t padding);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  int64_t padding_;
  std::shared_ptr<Conv2d> conv_;
};

/// Nearest-neighbour up to `size` [H, W], then a convolution.
class Upsample2d final : public torch::nn::Module {
 public:
  explicit Upsample2d(int64_t channels);
  at::Tensor forward(const at::Tensor& x, at::IntArrayRef size) const;

 private:
  std::shared_ptr<Conv2d> conv_;
};

/// Nearest neighbour to `size`, or by two where it is empty.
at::Tensor upsample_nearest(const at::Tensor& x, at::IntArrayRef size);

/// Halving and doubling with the separable filter [1, 3, 3, 1] / 8 (Song et al. 2021; Karras et al. 2019). x
/// [B, C, H, W]; halving wants even H and W and throws ShapeError otherwise.
at::Tensor fir_downsample(const at::Tensor& x);
at::Tensor fir_upsample(const at::Tensor& x);

}  // namespace gen
