#pragma once

#include "models/flow/coupling.h"

namespace gen::flow {

/// z_2 = x_2 exp(s(x_1)) + t(x_1) with s = scale * tanh(a), (a, t) from the network (Dinh et al. 2017,
/// equations 7-8). `scale`, learned for each changed channel or coordinate and 1 at first, bounds the
/// log-scale.
class AffineCoupling : public Coupling {
 public:
  AffineCoupling(const CouplingOptions& options, const BijectorContext& context, int64_t width_factor = 1);

 protected:
  Mapped transform(const at::Tensor& changed, const at::Tensor& parameters) override;
  Mapped inverse_transform(const at::Tensor& changed, const at::Tensor& parameters) override;

 private:
  at::Tensor scale_;  // [C] or [C, 1, 1]
};

}  // namespace gen::flow
