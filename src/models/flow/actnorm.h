// Activation normalisation with data-dependent initialisation (Kingma & Dhariwal 2018, section 3.1).
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct ActNormOptions {
  void visit(OptionVisitor&) {}
};

/// z = (x + loc) exp(log_scale) for each channel (images) or coordinate (points), both learned. initialize()
/// sets them so that the batch it is given leaves with mean 0 and standard deviation 1; until then the map is
/// the identity.
class ActNorm : public Bijector {
 public:
  explicit ActNorm(const BijectorContext& context);
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  /// Does nothing where a batch or a checkpoint has initialised it before.
  void initialize(const at::Tensor& x, const Condition& condition) override;

 private:
  at::Tensor log_det(const at::Tensor& x) const;

  at::Tensor loc_, log_scale_;  // [C] or [D]
  at::Tensor initialized_;      // [1] bool, saved with the weights
};

}  // namespace gen::flow
