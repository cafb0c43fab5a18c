// The two halves of the auto-encoder, as one kind: a type gives both, so that a decoder can mirror its
// encoder.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "gen/config/component.h"

namespace gen::vae {

enum class Side { encoder, decoder };

/// encoder: data [B, *data_shape] -> [B, code_dim]; decoder: code [B, code_dim] -> [B, *data_shape].
struct CoderContext {
  Side side = Side::encoder;
  std::vector<int64_t> data_shape;  ///< [C, H, W], or [D] for points
  int64_t code_dim = 0;
};

/// Weights start Glorot-uniform (Glorot & Bengio 2010), biases at zero.
class Coder : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& input) = 0;
  /// Sets the last layer's bias to `values` [*data_shape] (decoders), averaged where one bias serves many
  /// positions.
  virtual void set_output_bias(const at::Tensor& values) = 0;
};

/// The vae_network kind: mlp, conv. Throws ConfigError where the type cannot work on such data.
using CoderKind = Kind<std::shared_ptr<Coder>(const CoderContext&)>;
const CoderKind& coders();

}  // namespace gen::vae
