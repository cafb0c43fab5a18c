// The part a flow is made of: an invertible map with a tractable Jacobian. One direction holds for the whole
// project: forward goes from data x to latent z, and log_det is log|det dz/dx| of the direction that was
// asked for.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gen/config/component.h"

namespace gen {
class OptionVisitor;
}

namespace gen::flow {

/// What a bijector may depend on besides its input. All rows belong to the same examples as the input's.
struct Condition {
  at::Tensor context;  ///< [B, context_dim], or undefined
};

struct Mapped {
  at::Tensor y;        ///< [B, ...]
  at::Tensor log_det;  ///< [B]: log|det dy/dx| of the map that gave y
};

/// Shape of one example: [D] for points, [C, H, W] for images.
using Shape = std::vector<int64_t>;

class Bijector : public torch::nn::Module {
 public:
  /// Data to latent.
  virtual Mapped forward(const at::Tensor& x, const Condition& condition) = 0;
  /// Latent to data; its log_det is minus that of forward at the same point.
  virtual Mapped inverse(const at::Tensor& z, const Condition& condition) = 0;
  /// Shape of z for examples of `shape`.
  virtual Shape output_shape(const Shape& shape) const { return shape; }
  /// Sets what depends on data (ActNorm) from one batch; once, before training.
  virtual void initialize(const at::Tensor& /*x*/, const Condition&) {}
};

/// What a bijector must know of where it stands.
struct BijectorContext {
  Shape shape;              ///< of its input
  int64_t context_dim = 0;  ///< of Condition::context; 0: unconditional
};

/// The bijector kind. Throws ConfigError where a bijector cannot work on such a shape.
using BijectorKind = Kind<std::shared_ptr<Bijector>(const BijectorContext&)>;
const BijectorKind& bijectors();

/// A [B] tensor holding `value`, which has one element, for each example of x.
inline at::Tensor per_example(const at::Tensor& value, const at::Tensor& x) {
  return value.expand({x.size(0)});
}

/// "[1, 28, 28]".
std::string to_string(const Shape& shape);

/// Mean and biased variance of each channel (or coordinate) of x [B, C, ...]: [C] each. Taken example by example, since
/// LibTorch gives the sum to a single number, as of one channel, to several threads.
std::pair<at::Tensor, at::Tensor> channel_moments(const at::Tensor& x);

/// The parameters v [C or D] of channels (or coordinates), shaped to broadcast over x [B, C, ...].
at::Tensor over_channels(const at::Tensor& v, const at::Tensor& x);

}  // namespace gen::flow
