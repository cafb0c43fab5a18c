// Bijectors one after the other.
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

/// z = f_n(... f_2(f_1(x))), log-determinants added. With no bijector, the identity.
class Sequence : public Bijector {
 public:
  /// `shape` and `context_dim` of what the first bijector will see.
  explicit Sequence(const BijectorContext& context) : context_(context) {}
  /// What the next bijector to be added sees.
  const BijectorContext& next() const { return context_; }
  void add(std::shared_ptr<Bijector> bijector);

  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  /// Each bijector is initialised on what those before it, already initialised, make of x.
  void initialize(const at::Tensor& x, const Condition& condition) override;
  Shape output_shape(const Shape& shape) const override;
  bool empty() const { return bijectors_.empty(); }

 private:
  BijectorContext context_;
  std::vector<std::shared_ptr<Bijector>> bijectors_;  // registered as "0", "1", ...
};

}  // namespace gen::flow
