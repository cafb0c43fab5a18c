// The variational bounds, as functions of tensors.
#pragma once

#include <ATen/core/Tensor.h>

namespace gen::vae {

/// q(z | x) = N(mean, exp(log_variance)), both [B, L].
struct Posterior {
  at::Tensor mean, log_variance;
};

/// z = mean + exp(log_variance / 2) * noise for noise [K..., B, L] (Kingma & Welling 2014, section 2.4).
at::Tensor reparameterize(const Posterior& q, const at::Tensor& noise);

/// KL(q || N(0, 1)) of each latent dimension, [B, L] nats (Kingma & Welling 2014, appendix B).
at::Tensor kl_divergence(const Posterior& q);

/// The KL term of the objective with free bits (Kingma et al. 2016, eq. 15, one dimension a group): the sum
/// over dimensions of max(free_bits, mean over the batch of kl), kl [B, L] -> []; free_bits in nats.
at::Tensor free_bits_kl(const at::Tensor& kl, double free_bits);

/// log p(z) - log q(z | x) of z = reparameterize(q, noise): [K..., B].
at::Tensor log_prior_ratio(const Posterior& q, const at::Tensor& z, const at::Tensor& noise);

/// log 1/K sum_k w_k of log-weights [K, B] -> [B] (Burda et al. 2016, eq. 8). Its gradient is their eq. 13.
at::Tensor importance_bound(const at::Tensor& log_weights);

/// Factor on beta at a step: linear from 1/warmup_steps to 1 (Bowman et al. 2016; Sonderby et al. 2016).
double warmup_factor(int64_t step, int64_t warmup_steps);

}  // namespace gen::vae
