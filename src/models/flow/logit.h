// The logit map that takes pixels in [0, 1] to the whole line (Dinh et al. 2017, section 4.1).
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct LogitOptions {
  double alpha = 0.05;
  void visit(OptionVisitor& v);
};

/// z = logit(alpha + (1 - 2 alpha) x), log_det = sum[softplus(z) + softplus(-z)] + D log(1 - 2 alpha).
/// Finite for all x: with alpha > 0 those of [0, 1] are mapped as they are, and the ends of the range that inverse gives,
/// [-alpha/(1-2alpha), 1 + alpha/(1-2alpha)], where its sigmoid has saturated, to what float32 has next to them.
class Logit : public Bijector {
 public:
  explicit Logit(const LogitOptions& options) : alpha_(options.alpha) {}
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;

 private:
  at::Tensor log_det(const at::Tensor& z) const;

  double alpha_;
};

}  // namespace gen::flow
