#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "data/toy2d/density.h"

namespace gen {
namespace {

using std::numbers::pi;
constexpr int64_t kBlades = 5;
constexpr double kTwist = 0.25, kScale = 2, kDistance = 1, kRadialNoise = 3;

/// A point v of the Gaussian of one blade goes to kScale R(angle of the blade + twist e^|v|) v. The turn
/// depends on |v| alone, so it keeps areas and |v|: the inverse and the density are exact. (FFJORD turns by
/// the first coordinate instead of |v|, which looks the same and has no inverse in closed form.)
class Pinwheel final : public PlaneDensity {
 public:
  explicit Pinwheel(double noise) : noise_(noise) {}
  PlanePoint draw(HostRng& rng) const override {
    const auto blade = static_cast<int64_t>(rng.below(kBlades));
    const double along = kDistance + kRadialNoise * noise_ * rng.normal(), across = noise_ * rng.normal();
    const double angle = turn_of(blade) + kTwist * std::exp(std::hypot(along, across));
    return {kScale * (along * std::cos(angle) - across * std::sin(angle)),
            kScale * (along * std::sin(angle) + across * std::cos(angle)), blade};
  }
  at::Tensor log_density(const at::Tensor& x) const override {
    const auto angle = (x.square().sum(1).sqrt() / kScale).exp() * -kTwist;
    const auto cosine = angle.cos(), sine = angle.sin();
    return untwisted(at::stack(
        {x.select(1, 0) * cosine - x.select(1, 1) * sine, x.select(1, 0) * sine + x.select(1, 1) * cosine},
        1));
  }
  /// Keeping areas, the twist keeps the entropy too, and without it the density is smooth for any noise.
  double entropy() const override {
    return entropy_by_quadrature([this](const at::Tensor& x) { return untwisted(x); }, bound());
  }
  int64_t num_parts() const override { return kBlades; }
  double bound() const override { return kScale * (kDistance + 7.5 * kRadialNoise * noise_); }

 private:
  /// The mixture of Gaussians before the twist; float64 [B, 2] -> [B].
  at::Tensor untwisted(const at::Tensor& x) const {
    const auto u = x.select(1, 0) / kScale, w = x.select(1, 1) / kScale;
    std::vector<at::Tensor> terms;
    for (int64_t blade = 0; blade < kBlades; ++blade) {
      const double cosine = std::cos(turn_of(blade)), sine = std::sin(turn_of(blade));
      const auto along = (u * cosine + w * sine - kDistance) / (kRadialNoise * noise_);
      const auto across = (w * cosine - u * sine) / noise_;
      terms.push_back((along.square() + across.square()) / -2);
    }
    const double normaliser =
        static_cast<double>(kBlades) * 2 * pi * kRadialNoise * noise_ * noise_ * kScale * kScale;
    return at::stack(terms).logsumexp(0) - std::log(normaliser);
  }
  static double turn_of(int64_t blade) {
    return 2 * pi * static_cast<double>(blade) / static_cast<double>(kBlades);
  }

  double noise_;
};

}  // namespace

std::unique_ptr<PlaneDensity> make_pinwheel(double noise) { return std::make_unique<Pinwheel>(noise); }

}  // namespace gen
