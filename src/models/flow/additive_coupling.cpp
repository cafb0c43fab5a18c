#include "models/flow/additive_coupling.h"

namespace gen::flow {

AdditiveCoupling::AdditiveCoupling(const CouplingOptions& options, const BijectorContext& context,
                                   int64_t width_factor)
    : Coupling(options, context, /*parameters=*/1, width_factor) {}

Mapped AdditiveCoupling::transform(const at::Tensor& changed, const at::Tensor& parameters) {
  return {changed + parameters, at::zeros({changed.size(0)}, changed.options())};
}

Mapped AdditiveCoupling::inverse_transform(const at::Tensor& changed, const at::Tensor& parameters) {
  return {changed - parameters, at::zeros({changed.size(0)}, changed.options())};
}

}  // namespace gen::flow
