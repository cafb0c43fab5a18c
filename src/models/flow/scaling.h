// The scaling layer of NICE (Dinh et al. 2015, section 3.3).
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct ScalingOptions {
  void visit(OptionVisitor&) {}
};

/// z = exp(log_scale) * x with one learned log-scale for each element of an example. The first batch sets them so
/// that each element of z has unit variance: the dequantised border pixels of MNIST need log-scales beyond 6, which
/// Adam would take thousands of steps to reach from 0.
class Scaling : public Bijector {
 public:
  explicit Scaling(const BijectorContext& context);
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  void initialize(const at::Tensor& x, const Condition& condition) override;

 private:
  at::Tensor log_scale_;  // the example's shape
};

}  // namespace gen::flow
