#pragma once

#include "models/flow/coupling.h"

namespace gen::flow {

/// z_2 = x_2 + m(x_1), of unit Jacobian determinant (Dinh et al. 2015, equations 9-10).
class AdditiveCoupling : public Coupling {
 public:
  AdditiveCoupling(const CouplingOptions& options, const BijectorContext& context, int64_t width_factor = 1);

 protected:
  Mapped transform(const at::Tensor& changed, const at::Tensor& parameters) override;
  Mapped inverse_transform(const at::Tensor& changed, const at::Tensor& parameters) override;
};

}  // namespace gen::flow
