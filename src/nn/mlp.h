// A residual network over points: x + time -> output of x's shape.
#pragma once

#include "gen/nn/network.h"
#include "nn/unet2d/embedding.h"

namespace gen {

struct MlpOptions {
  std::optional<int64_t> in_features;  ///< null: the data's
  int64_t hidden_size = 256, num_layers = 4;
  std::optional<int64_t> num_class_embeds;
  void visit(OptionVisitor& v);
};

class Mlp final : public DenoisingNetwork {
 public:
  /// `shape` of one example; options with in_features its number of elements.
  Mlp(const MlpOptions& options, std::vector<int64_t> shape);
  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& class_labels) override;
  std::vector<int64_t> input_shape() const override { return shape_; }
  int64_t num_classes() const override { return options_.num_class_embeds.value_or(0); }
  Json ecosystem_config() const override;

 private:
  MlpOptions options_;
  std::vector<int64_t> shape_;
  std::shared_ptr<Linear> proj_in_, proj_out_;
  std::shared_ptr<TimeProjection> time_proj_;
  std::shared_ptr<TimestepEmbedding> time_embedding_;
  torch::nn::Embedding class_embedding_{nullptr};
  struct Block {
    std::shared_ptr<Linear> linear_1, time_emb_proj, linear_2;
  };
  std::vector<Block> blocks_;
};

/// Throws ConfigError where in_features is neither given nor known from the data, or disagrees with them.
std::shared_ptr<DenoisingNetwork> make_mlp(const MlpOptions& options, const NetworkContext& context);

}  // namespace gen
