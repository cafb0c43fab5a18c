// A whole flow: levels of bijectors, with half of the channels factored out after each but the last.
#pragma once

#include "models/flow/sequence.h"

namespace gen::flow {

/// x -> (z_1, ..., z_L) with log|det|. After level l < L, half of the channels become z_l and only the other
/// half goes on (Dinh et al. 2017, section 3.6). The latents stay apart, so that each can have a prior of its
/// own.
class MultiScale : public torch::nn::Module {
 public:
  explicit MultiScale(const BijectorContext& context) : context_(context) {}
  /// What the first bijector of the next level sees.
  const BijectorContext& next() const { return context_; }
  /// Levels are added in order; all but the last factor out, which needs an even number of channels
  /// (ConfigError).
  void add_level(std::shared_ptr<Sequence> level, bool factor_out);

  struct Encoded {
    std::vector<at::Tensor> latents;  ///< [B, *latent_shapes()[l]]
    at::Tensor log_det;               ///< [B]
  };
  Encoded encode(const at::Tensor& x, const Condition& condition);
  at::Tensor decode(const std::vector<at::Tensor>& latents, const Condition& condition);
  void initialize(const at::Tensor& x, const Condition& condition);
  const std::vector<Shape>& latent_shapes() const { return latent_shapes_; }

 private:
  BijectorContext context_;
  std::vector<std::shared_ptr<Sequence>> levels_;  // registered as "level0", ...
  std::vector<Shape> latent_shapes_;
};

}  // namespace gen::flow
