// Batch normalisation as a bijector (Dinh et al. 2017, section 3.7).
#pragma once

#include "gen/nn/running_statistics.h"
#include "models/flow/bijector.h"

namespace gen::flow {

struct BatchNormBijectorOptions {
  double momentum = 0.1;
  double epsilon = 1e-4;
  void visit(OptionVisitor& v);
};

/// z = (x - m) / sqrt(v + epsilon) for each channel or coordinate, without an affine part of its own: the
/// couplings have one. In training, forward uses the batch's m and v (gradients flow through both) and moves
/// the running ones by `momentum`. In evaluation forward uses the running statistics. inverse always does, in
/// training too, where it is therefore not forward's inverse.
class BatchNormBijector : public Bijector, public RunningStatistics {
 public:
  BatchNormBijector(const BatchNormBijectorOptions& options, const BijectorContext& context);
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  /// Takes the batch's statistics as the running ones, so that an untrained flow can be evaluated.
  void initialize(const at::Tensor& x, const Condition& condition) override;
  void set_momentum(std::optional<double> momentum) override { momentum_ = momentum; }

 private:
  BatchNormBijectorOptions options_;
  std::optional<double> momentum_;
  at::Tensor running_mean_, running_var_;  // [C] or [D]
};

}  // namespace gen::flow
