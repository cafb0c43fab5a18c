// The layers that networks are made of: torch's own arithmetic, parameter names and initial values, and on
// request (pack) copies of the weights laid out for the CPU's kernels.
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>

namespace gen {

/// A layer whose weights can be kept in a second, packed form once they no longer change.
class Layer : public torch::nn::Module {
 public:
  /// Keeps a copy of the weights in `dtype` (float32 or bfloat16); forward then takes and gives that dtype
  /// and records no gradient.
  virtual void pack(at::ScalarType dtype) = 0;
  virtual void unpack() = 0;
  void train(bool on = true) override {
    if (on) unpack();
    torch::nn::Module::train(on);
  }
};

/// y = x W^T + b. weight [out, in], bias [out].
class Linear final : public Layer {
 public:
  Linear(int64_t in, int64_t out);
  at::Tensor forward(const at::Tensor& x) const;
  void pack(at::ScalarType dtype) override;
  void unpack() override;

  at::Tensor weight, bias;

 private:
  at::Tensor packed_weight_, packed_bias_;
};

struct Conv2dOptions {
  int64_t kernel = 3, stride = 1, padding = 1;
};

/// Square 2-d convolution. weight [out, in, k, k], bias [out].
class Conv2d final : public Layer {
 public:
  Conv2d(int64_t in, int64_t out, Conv2dOptions options = {});
  /// x [B, in, H, W]
  at::Tensor forward(const at::Tensor& x) const;
  /// Of cat(x, skip), without making it: the convolutions of both parts, summed.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& skip) const;
  void pack(at::ScalarType dtype) override;
  void unpack() override;

  at::Tensor weight, bias;

 private:
  /// By the packed weights of input channels first_channel, first_channel + 1, ..., as many as x has.
  at::Tensor convolve_packed(const at::Tensor& x, int64_t first_channel, const at::Tensor& with_bias) const;

  Conv2dOptions options_;
  at::Tensor packed_weight_, packed_bias_;
  // Parts of packed_weight_ in oneDNN's own layout by their first input channel, made for the first size of input that
  // comes and used for all.
  mutable std::map<int64_t, at::Tensor> reordered_weights_;
};

/// Group normalisation (Wu & He 2018) with weight [C] and bias [C].
class GroupNorm final : public torch::nn::Module {
 public:
  /// Throws ConfigError where `groups` does not divide `channels`.
  GroupNorm(int64_t groups, int64_t channels, double eps);
  /// x [B, C, ...]; followed by SiLU if asked.
  at::Tensor forward(const at::Tensor& x, bool silu = false) const { return forward(x, {}, {}, silu); }
  /// Of cat(x, skip) + shift; either may be undefined. skip [B, S, ...], shift [B, C].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& skip, const at::Tensor& shift, bool silu) const;
  /// (1 + scale) norm(x) + shift; scale and shift [B, C]; followed by SiLU if asked.
  at::Tensor modulated(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                       bool silu) const;

  at::Tensor weight, bias;

 private:
  int64_t groups_;
  double eps_;
};

/// "silu", "swish" (the same), "mish", "gelu" (exact) or "relu".
at::Tensor activate(const at::Tensor& x, const std::string& name);

}  // namespace gen
