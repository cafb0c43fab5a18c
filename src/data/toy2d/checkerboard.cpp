#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "data/toy2d/density.h"

namespace gen {
namespace {

constexpr double kSide = 2;
constexpr double kEdge = 4;
constexpr int64_t kSquares = 8;
constexpr double kArea = static_cast<double>(kSquares) * kSide * kSide;

struct Corner {
  double x, y;
};

/// The lower left corner of a dark square: two in each of four columns, every other column one up.
Corner corner_of(int64_t square) {
  const int64_t column = square / 2, row = 2 * (square % 2) + column % 2;
  return {static_cast<double>(column) * kSide - kEdge, static_cast<double>(row) * kSide - kEdge};
}

class Checkerboard final : public PlaneDensity {
 public:
  explicit Checkerboard(double noise) : noise_(noise) {}
  PlanePoint draw(HostRng& rng) const override {
    const auto square = static_cast<int64_t>(rng.below(kSquares));
    const auto [x, y] = corner_of(square);
    PlanePoint point{x + kSide * rng.uniform(), y + kSide * rng.uniform(), square};
    if (noise_ > 0) {
      point.x += noise_ * rng.normal();
      point.y += noise_ * rng.normal();
    }
    return point;
  }
  at::Tensor log_density(const at::Tensor& x) const override {
    auto density = at::zeros_like(x.select(1, 0));
    for (int64_t square = 0; square < kSquares; ++square) {
      const auto [left, bottom] = corner_of(square);
      density += within(x.select(1, 0), left) * within(x.select(1, 1), bottom);
    }
    return (density / kArea).log();
  }
  int64_t num_parts() const override { return kSquares; }
  double bound() const override { return kEdge + 7.5 * noise_; }
  double entropy() const override { return noise_ > 0 ? PlaneDensity::entropy() : std::log(kArea); }

 private:
  /// The indicator of [low, low + side), convolved with the noise: a difference of two normal distribution
  /// functions.
  at::Tensor within(const at::Tensor& x, double low) const {
    if (noise_ == 0) return ((x >= low) & (x < low + kSide)).to(x.scalar_type());
    const double scale = noise_ * std::numbers::sqrt2;
    return (((x - low) / scale).erf() - ((x - low - kSide) / scale).erf()) / 2;
  }

  double noise_;
};

}  // namespace

std::unique_ptr<PlaneDensity> make_checkerboard(double noise) {
  return std::make_unique<Checkerboard>(noise);
}

}  // namespace gen
