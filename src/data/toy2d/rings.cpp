#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/toy2d/density.h"

namespace gen {
namespace {

using std::numbers::pi;

class Rings final : public PlaneDensity {
 public:
  Rings(std::vector<double> radii, double noise) : radii_(std::move(radii)), noise_(noise) {}
  PlanePoint draw(HostRng& rng) const override {
    const auto ring = rng.below(radii_.size());
    const double angle = 2 * pi * rng.uniform();
    return {radii_[ring] * std::cos(angle) + noise_ * rng.normal(),
            radii_[ring] * std::sin(angle) + noise_ * rng.normal(), static_cast<int64_t>(ring)};
  }
  /// The mean of N(x; R u, s^2 I) over unit vectors u is exp(-(r^2 + R^2) / 2 s^2) I0(r R / s^2) / (2 pi s^2)
  /// (Rice 1945); i0e(z) = exp(-z) I0(z) keeps it finite.
  at::Tensor log_density(const at::Tensor& x) const override {
    const double variance = noise_ * noise_;
    const auto r = x.square().sum(1).sqrt();  // [B]
    std::vector<at::Tensor> terms;
    for (const double radius : radii_)
      terms.push_back((r - radius).square() / (-2 * variance) +
                      at::special_i0e(r * (radius / variance)).log());
    return at::stack(terms).logsumexp(0) - std::log(static_cast<double>(radii_.size()) * 2 * pi * variance);
  }
  int64_t num_parts() const override { return static_cast<int64_t>(radii_.size()); }
  double bound() const override { return *std::max_element(radii_.begin(), radii_.end()) + 7.5 * noise_; }

 private:
  std::vector<double> radii_;
  double noise_;
};

}  // namespace

std::unique_ptr<PlaneDensity> make_rings(std::vector<double> radii, double noise) {
  return std::make_unique<Rings>(std::move(radii), noise);
}

}  // namespace gen
