#include "models/vae/bound.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "gen/core/rng.h"
#include "support/support.h"

namespace gen::vae {
namespace {

Posterior random_posterior(Rng& rng, int64_t batch, int64_t latent) {
  return {rng.normal({batch, latent}, at::kDouble), 0.5 * rng.normal({batch, latent}, at::kDouble)};
}

at::Tensor log_normal(const at::Tensor& z, const at::Tensor& mean, const at::Tensor& log_variance) {
  const auto squares = (z - mean).square() / log_variance.exp();
  return -0.5 * (squares + log_variance + std::log(2 * std::numbers::pi)).sum(-1);
}

TEST(VaeBound, KlMatchesMonteCarlo) {
  Rng rng(1);
  const auto q = random_posterior(rng, 3, 4);
  const auto z = reparameterize(q, rng.normal({200'000, 3, 4}, at::kDouble));
  const auto zero = at::zeros({1}, at::kDouble);
  const auto ratio = log_normal(z, q.mean, q.log_variance) - log_normal(z, zero, zero.expand({4}));
  EXPECT_LT(test::max_abs_diff(kl_divergence(q).sum(1), ratio.mean(0)), 0.02);
}

TEST(VaeBound, KlOfThePriorIsZero) {
  const Posterior q{at::zeros({2, 5}), at::zeros({2, 5})};
  EXPECT_EQ(test::max_abs_diff(kl_divergence(q), at::zeros({2, 5})), 0);
}

TEST(VaeBound, PriorRatioIsThatOfTheDensities) {
  Rng rng(2);
  const auto q = random_posterior(rng, 3, 4);
  const auto noise = rng.normal({6, 3, 4}, at::kDouble);
  const auto z = reparameterize(q, noise);
  const auto zero = at::zeros({4}, at::kDouble);
  const auto expected = log_normal(z, zero, zero) - log_normal(z, q.mean, q.log_variance);
  EXPECT_LT(test::max_abs_diff(log_prior_ratio(q, z, noise), expected), 1e-12);
}

TEST(VaeBound, FreeBitsLeaveSmallDimensionsAlone) {
  auto kl = at::tensor({0.1, 2.0, 0.4, 0.3, 4.0, 0.6}, at::kDouble).view({2, 3}).requires_grad_();
  const auto term = free_bits_kl(kl, 0.45);
  EXPECT_NEAR(term.item<double>(), 0.45 + 3.0 + 0.5, 1e-12);
  term.backward();
  // Dimension 0, below its free bits as a mean over the batch, has no gradient; the others have that of the
  // mean.
  EXPECT_EQ(kl.grad().select(1, 0).abs().max().item<double>(), 0);
  EXPECT_NEAR(kl.grad()[0][1].item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(kl.grad()[0][2].item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(free_bits_kl(kl.detach(), 0).item<double>(), (2.5 + 4.9) / 2, 1e-12);
}

TEST(VaeBound, WarmupGrowsLinearlyToOne) {
  EXPECT_DOUBLE_EQ(warmup_factor(0, 4), 0.25);
  EXPECT_DOUBLE_EQ(warmup_factor(1, 4), 0.5);
  EXPECT_DOUBLE_EQ(warmup_factor(3, 4), 1);
  EXPECT_DOUBLE_EQ(warmup_factor(100, 4), 1);
  EXPECT_DOUBLE_EQ(warmup_factor(0, 0), 1);
}

TEST(VaeBound, ImportanceBoundIsTheLogOfTheMeanWeight) {
  const auto log_weights = Rng(3).normal({7, 2}, at::kDouble);
  const auto bound = importance_bound(log_weights);
  EXPECT_LT(test::max_abs_diff(bound, log_weights.exp().mean(0).log()), 1e-12);
  EXPECT_LT(test::max_abs_diff(importance_bound(log_weights - 5000), bound - 5000), 1e-9);
}

// Burda et al. 2016, eq. 13: the gradient is the sum of those of the log-weights, by the normalised weights.
TEST(VaeBound, ImportanceBoundHasTheGradientOfThePaper) {
  Rng rng(4);
  const auto mean = rng.normal({3, 4}, at::kDouble).requires_grad_();
  const auto log_variance = (0.3 * rng.normal({3, 4}, at::kDouble)).requires_grad_();
  const Posterior q{mean, log_variance};
  const auto noise = rng.normal({6, 3, 4}, at::kDouble);
  const auto z = reparameterize(q, noise);
  const auto log_weights = (3 * z).sin().sum(-1) + log_prior_ratio(q, z, noise);
  const auto weights = log_weights.detach().softmax(0);
  const auto expected =
      torch::autograd::grad({(weights * log_weights).sum()}, {mean, log_variance}, {}, /*retain_graph=*/true);
  const auto got = torch::autograd::grad({importance_bound(log_weights).sum()}, {mean, log_variance});
  EXPECT_LT(test::max_abs_diff(got[0], expected[0]), 1e-12);
  EXPECT_LT(test::max_abs_diff(got[1], expected[1]), 1e-12);
}

}  // namespace
}  // namespace gen::vae
