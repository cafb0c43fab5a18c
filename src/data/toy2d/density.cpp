#include "data/toy2d/density.h"

#include <ATen/ATen.h>

namespace gen {

double PlaneDensity::entropy() const {
  return entropy_by_quadrature([this](const at::Tensor& x) { return log_density(x); }, bound());
}

double entropy_by_quadrature(const std::function<at::Tensor(const at::Tensor&)>& log_density, double bound) {
  constexpr int64_t kGrid = 400;
  const double cell = 2 * bound / kGrid;
  const auto axis = (at::arange(kGrid, at::kDouble) + 0.5) * cell - bound;
  double sum = 0;
  for (int64_t row = 0; row < kGrid; ++row) {
    const auto points = at::stack({axis, at::full_like(axis, axis[row].item<double>())}, 1);  // [kGrid, 2]
    const auto log_p = log_density(points);
    sum -= at::where(at::isfinite(log_p), log_p * log_p.exp(), 0.0).sum().item<double>();
  }
  return sum * cell * cell;
}

}  // namespace gen
