// The density of the latents: independent standard Gaussians or logistics.
#pragma once

#include "gen/core/rng.h"
#include "models/flow/bijector.h"

namespace gen::flow {

enum class PriorKind {
  gaussian,  ///< log p(z) = -z^2/2 - log(2 pi)/2
  logistic,  ///< log p(z) = -softplus(z) - softplus(-z) (NICE on MNIST)
};

/// [B] nats, summed over all dimensions of z [B, ...].
at::Tensor log_prob(PriorKind prior, const at::Tensor& z);
/// [rng.count(), *shape] draws times `temperature`.
at::Tensor draw(PriorKind prior, const Shape& shape, SampleRng& rng, double temperature);

}  // namespace gen::flow
