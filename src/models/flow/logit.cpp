#include "models/flow/logit.h"

#include <cmath>

#include "gen/config/options.h"
#include "gen/nn/row_wise.h"

namespace gen::flow {

void LogitOptions::visit(OptionVisitor& v) {
  v.field("alpha", alpha, "distance kept from 0 and 1",
          {.min = 0, .max = 0.5, .exclusive_min = true, .exclusive_max = true});
}

at::Tensor Logit::log_det(const at::Tensor& z) const {
  const auto per_element = at::softplus(z) + at::softplus(-z) + std::log1p(-2.0 * alpha_);
  return per_element.flatten(1).sum(1);
}

Mapped Logit::forward(const at::Tensor& x, const Condition&) {
  const auto z = at::logit(alpha_ + (1.0 - 2.0 * alpha_) * x);
  return {z, log_det(z)};
}

Mapped Logit::inverse(const at::Tensor& z, const Condition&) {
  auto x = (row_wise::sigmoid(z) - alpha_) / (1.0 - 2.0 * alpha_);
  return {x, -log_det(z)};
}

}  // namespace gen::flow
