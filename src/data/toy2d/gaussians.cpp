#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "data/toy2d/density.h"

namespace gen {
namespace {

using std::numbers::pi;

class Gaussians final : public PlaneDensity {
 public:
  Gaussians(int64_t count, double radius, double noise) : radius_(radius), noise_(noise) {
    for (int64_t i = 0; i < count; ++i) {
      const double angle = 2 * pi * static_cast<double>(i) / static_cast<double>(count);
      centres_.push_back({radius * std::cos(angle), radius * std::sin(angle), i});
    }
  }
  PlanePoint draw(HostRng& rng) const override {
    PlanePoint point = centres_[rng.below(centres_.size())];
    point.x += noise_ * rng.normal();
    point.y += noise_ * rng.normal();
    return point;
  }
  at::Tensor log_density(const at::Tensor& x) const override {
    std::vector<at::Tensor> terms;
    for (const auto& centre : centres_)
      terms.push_back(((x.select(1, 0) - centre.x).square() + (x.select(1, 1) - centre.y).square()) /
                      (-2 * noise_ * noise_));
    return at::stack(terms).logsumexp(0) -
           std::log(static_cast<double>(centres_.size()) * 2 * pi * noise_ * noise_);
  }
  int64_t num_parts() const override { return static_cast<int64_t>(centres_.size()); }
  double bound() const override { return radius_ + 7.5 * noise_; }

 private:
  double radius_, noise_;
  std::vector<PlanePoint> centres_;
};

}  // namespace

std::unique_ptr<PlaneDensity> make_gaussians(int64_t count, double radius, double noise) {
  return std::make_unique<Gaussians>(count, radius, noise);
}

}  // namespace gen
