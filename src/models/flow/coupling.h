// Coupling layers (Dinh et al. 2015, section 3.2): one half of the input stays, and a network of it maps the
// other half.
#pragma once

#include "models/flow/conditioner.h"
#include "models/flow/mask.h"

namespace gen::flow {

struct CouplingOptions {
  MaskKind mask = MaskKind::halves;
  bool swap = false;
  Component network = {};  ///< of kind conditioners(); absent: what suits the shape
  void visit(OptionVisitor& v);
};

/// What all couplings share; a subclass gives the map of the changed half.
class Coupling : public Bijector {
 public:
  /// The conditioner gives `parameters` numbers for each changed element.
  Coupling(const CouplingOptions& options, const BijectorContext& context, int64_t parameters,
           int64_t width_factor);
  Mapped forward(const at::Tensor& x, const Condition& condition) final;
  Mapped inverse(const at::Tensor& z, const Condition& condition) final;

 protected:
  /// changed [B, C, ...], parameters [B, n*C, ...] in n blocks of C.
  virtual Mapped transform(const at::Tensor& changed, const at::Tensor& parameters) = 0;
  virtual Mapped inverse_transform(const at::Tensor& changed, const at::Tensor& parameters) = 0;
  const Mask& mask() const { return mask_; }

 private:
  Mask mask_;
  std::shared_ptr<Conditioner> network_;
};

}  // namespace gen::flow
