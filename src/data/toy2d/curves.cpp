#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "data/toy2d/density.h"

namespace gen {
namespace {

using std::numbers::pi;

/// A curve c(u), u uniform in [0, 1], blurred by isotropic noise: p(x) = integral over u of N(x; c(u), s^2
/// I).
struct Curve {
  std::function<PlanePoint(double)> at;
  double length;  ///< an upper bound of |c'(u)|
};

/// Nodes in [0, 1] and logarithms of weights of composite 8-point Gauss-Legendre quadrature.
std::vector<std::pair<double, double>> quadrature(int64_t panels) {
  constexpr std::array<double, 4> kNodes{0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
                                         0.9602898564975363};
  constexpr std::array<double, 4> kWeights{0.3626837833783620, 0.3137066458778873, 0.2223810344533745,
                                           0.1012285362903763};
  std::vector<std::pair<double, double>> rule;
  const double half = 0.5 / static_cast<double>(panels);
  for (int64_t panel = 0; panel < panels; ++panel)
    for (size_t i = 0; i < kNodes.size(); ++i)
      for (const double sign : {-1.0, 1.0})
        rule.emplace_back((static_cast<double>(2 * panel + 1) + sign * kNodes[i]) * half,
                          std::log(kWeights[i] * half));
  return rule;
}

class BlurredCurves final : public PlaneDensity {
 public:
  BlurredCurves(std::vector<Curve> curves, double noise, double bound)
      : curves_(std::move(curves)), noise_(noise), bound_(bound + 7.5 * noise) {
    const double share = std::log(static_cast<double>(curves_.size()) * 2 * pi * noise * noise);
    std::vector<double> x, y, log_weight;
    for (const auto& curve : curves_) {
      // Panels of two deviations of the noise: eight nodes then integrate the Gaussian to about 1e-10.
      const auto panels = static_cast<int64_t>(std::ceil(curve.length / (2 * noise)));
      for (const auto& [u, weight] : quadrature(panels)) {
        const PlanePoint point = curve.at(u);
        x.push_back(point.x);
        y.push_back(point.y);
        log_weight.push_back(weight - share);
      }
    }
    x_ = at::tensor(x, at::kDouble);
    y_ = at::tensor(y, at::kDouble);
    log_weight_ = at::tensor(log_weight, at::kDouble);
  }
  PlanePoint draw(HostRng& rng) const override {
    const auto part = rng.below(curves_.size());
    PlanePoint point = curves_[part].at(rng.uniform());
    point.x += noise_ * rng.normal();
    point.y += noise_ * rng.normal();
    point.part = static_cast<int64_t>(part);
    return point;
  }
  at::Tensor log_density(const at::Tensor& x) const override {
    std::vector<at::Tensor> pieces;
    for (const auto& piece : x.split(kChunk)) {
      const auto distance = (piece.select(1, 0).unsqueeze(1) - x_).square() +
                            (piece.select(1, 1).unsqueeze(1) - y_).square();  // [chunk, nodes]
      pieces.push_back((distance / (-2 * noise_ * noise_) + log_weight_).logsumexp(1));
    }
    return at::cat(pieces);
  }
  int64_t num_parts() const override { return static_cast<int64_t>(curves_.size()); }
  double bound() const override { return bound_; }

 private:
  static constexpr int64_t kChunk = 4096;  // points at a time, so that memory stays at tens of megabytes

  std::vector<Curve> curves_;
  double noise_, bound_;
  at::Tensor x_, y_, log_weight_;  // [nodes]
};

}  // namespace

std::unique_ptr<PlaneDensity> make_moons(double noise) {
  // scikit-learn's make_moons, doubled and moved by (-1, -0.2) as in FFJORD.
  const Curve upper{[](double u) { return PlanePoint{2 * std::cos(pi * u) - 1, 2 * std::sin(pi * u) - 0.2}; },
                    2 * pi};
  const Curve lower{[](double u) { return PlanePoint{1 - 2 * std::cos(pi * u), 0.8 - 2 * std::sin(pi * u)}; },
                    2 * pi};
  return std::make_unique<BlurredCurves>(std::vector{upper, lower}, noise, 3.0);
}

std::unique_ptr<PlaneDensity> make_swissroll(double noise) {
  constexpr double kFirst = 1.5 * pi, kLast = 4.5 * pi, kShrink = 5;
  const Curve spiral{[](double u) {
                       const double t = kFirst + (kLast - kFirst) * u;
                       return PlanePoint{t * std::cos(t) / kShrink, t * std::sin(t) / kShrink};
                     },
                     (kLast - kFirst) * std::hypot(1.0, kLast) / kShrink};
  return std::make_unique<BlurredCurves>(std::vector{spiral}, noise, kLast / kShrink);
}

}  // namespace gen
