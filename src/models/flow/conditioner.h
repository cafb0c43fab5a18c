// The network inside a coupling: from the half that is kept to the parameters of the other half's map.
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

/// Its last layer starts at zero, so that a coupling starts as the identity.
class Conditioner : public torch::nn::Module {
 public:
  /// kept [B, *input] to [B, output_channels, ...] with input's spatial size.
  virtual at::Tensor forward(const at::Tensor& kept, const Condition& condition) = 0;
};

struct ConditionerContext {
  Shape input;                  ///< of the kept half: [D] or [C, H, W]
  int64_t output_channels = 0;  ///< or output coordinates
  int64_t context_dim = 0;
  int64_t width_factor = 1;  ///< multiplies the widths of convolutional networks, which grow with the scale
};

/// The conditioner kind: mlp, resnet. Throws ConfigError where a network cannot work on such a shape.
using ConditionerKind = Kind<std::shared_ptr<Conditioner>(const ConditionerContext&)>;
const ConditionerKind& conditioners();

/// `network`, or where it is absent what suits the shape: mlp for points, resnet for images.
Component conditioner_for(const Component& network, const Shape& shape);

struct MlpConditionerOptions {
  std::vector<int64_t> hidden_sizes = {128, 128};
  void visit(OptionVisitor& v);
};
/// ReLU layers over [D]; the context is concatenated to the input.
std::shared_ptr<Conditioner> make_mlp_conditioner(const MlpConditionerOptions& options,
                                                  const ConditionerContext& context);

struct ResnetConditionerOptions {
  int64_t hidden_channels = 32;
  int64_t num_blocks = 2;
  void visit(OptionVisitor& v);
};
/// A residual network over [C, H, W] (He et al. 2016, pre-activation): 3 x 3 in, blocks of ReLU, 3 x 3, ReLU,
/// 1 x 1, and 1 x 1 out. The context is added to the first layer's channels.
std::shared_ptr<Conditioner> make_resnet_conditioner(const ResnetConditionerOptions& options,
                                                     const ConditionerContext& context);

}  // namespace gen::flow
