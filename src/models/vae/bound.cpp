#include "models/vae/bound.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace gen::vae {

at::Tensor reparameterize(const Posterior& q, const at::Tensor& noise) {
  return at::addcmul(q.mean, (0.5 * q.log_variance).exp(), noise);
}

at::Tensor kl_divergence(const Posterior& q) {
  return 0.5 * (q.mean.square() + q.log_variance.exp() - q.log_variance - 1);
}

at::Tensor free_bits_kl(const at::Tensor& kl, double free_bits) {
  return free_bits > 0 ? kl.mean(0).clamp_min(free_bits).sum() : kl.sum(1).mean();
}

at::Tensor log_prior_ratio(const Posterior& q, const at::Tensor& z, const at::Tensor& noise) {
  return 0.5 * (noise.square() - z.square() + q.log_variance).sum(-1);  // both 2 pi terms cancel
}

at::Tensor importance_bound(const at::Tensor& log_weights) {
  return at::logsumexp(log_weights, 0) - std::log(static_cast<double>(log_weights.size(0)));
}

double warmup_factor(int64_t step, int64_t warmup_steps) {
  if (warmup_steps == 0) return 1;
  return std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warmup_steps));
}

}  // namespace gen::vae
