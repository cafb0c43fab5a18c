// Images as vectors, for flows whose couplings are fully connected.
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct FlattenOptions {
  void visit(OptionVisitor&) {}
};

/// [B, C, H, W] -> [B, C*H*W] in row-major order; points pass unchanged.
class Flatten : public Bijector {
 public:
  explicit Flatten(const BijectorContext& context) : shape_(context.shape) {}
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  Shape output_shape(const Shape& shape) const override;

 private:
  Shape shape_;
};

}  // namespace gen::flow
