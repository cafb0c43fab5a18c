#include "models/flow/prior.h"

#include <cmath>
#include <numbers>

#include "gen/nn/row_wise.h"

namespace gen::flow {

at::Tensor log_prob(PriorKind prior, const at::Tensor& z) {
  const auto flat = z.flatten(1);
  if (prior == PriorKind::logistic)
    return -row_wise::sum_of_each(row_wise::softplus(flat) + row_wise::softplus(-flat));
  const double log_normalizer = 0.5 * std::log(2.0 * std::numbers::pi) * static_cast<double>(flat.size(1));
  return row_wise::sum_of_each(flat.square()) * -0.5 - log_normalizer;
}

at::Tensor draw(PriorKind prior, const Shape& shape, SampleRng& rng, double temperature) {
  if (prior == PriorKind::gaussian) return rng.normal(shape) * temperature;
  // In double and kept from 0 and 1, where the inverse of the distribution function is infinite.
  const auto u = rng.uniform(shape, at::kDouble).clamp(1e-12, 1.0 - 1e-12);
  return ((u.log() - (-u).log1p()) * temperature).to(at::kFloat);
}

}  // namespace gen::flow
