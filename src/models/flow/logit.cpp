#include "models/flow/logit.h"

#include <cmath>
#include <limits>

#include "gen/config/options.h"
#include "gen/nn/row_wise.h"

namespace gen::flow {
namespace {

/// p without the ends of [0, 1] and what rounding puts beyond them. What lies farther out is no image of a z and stays, to
/// become NaN.
at::Tensor inside(const at::Tensor& p) {
  constexpr double kRounding = 1e-6;
  const bool narrow = p.scalar_type() != at::kDouble;
  const double least = narrow ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min(),
               most = 1 - (narrow ? std::numeric_limits<float>::epsilon()
                                  : std::numeric_limits<double>::epsilon()) /
                              2;
  return at::where((p - 0.5).abs() <= 0.5 + kRounding, p.clamp(least, most), p);
}

}  // namespace

void LogitOptions::visit(OptionVisitor& v) {
  v.field("alpha", alpha, "distance kept from 0 and 1",
          {.min = 0, .max = 0.5, .exclusive_min = true, .exclusive_max = true});
}

at::Tensor Logit::log_det(const at::Tensor& z) const {
  const auto per_element = row_wise::softplus(z) + row_wise::softplus(-z) + std::log1p(-2.0 * alpha_);
  return row_wise::sum_of_each(per_element);
}

Mapped Logit::forward(const at::Tensor& x, const Condition&) {
  const auto z = row_wise::logit(inside(alpha_ + (1.0 - 2.0 * alpha_) * x));
  return {z, log_det(z)};
}

Mapped Logit::inverse(const at::Tensor& z, const Condition&) {
  auto x = (row_wise::sigmoid(z) - alpha_) / (1.0 - 2.0 * alpha_);
  return {x, -log_det(z)};
}

}  // namespace gen::flow
