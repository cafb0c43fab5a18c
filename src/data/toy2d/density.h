// Densities in the plane that can be drawn from and evaluated exactly. The shapes are those of FFJORD's
// experiments (Grathwohl et al. 2019, toy_data.py), with the noise placed so that each has a density in
// closed form or as an integral over one variable.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gen/core/rng.h"

namespace gen {

struct PlanePoint {
  double x = 0, y = 0;
  int64_t part = 0;  ///< which component of the mixture it is of
};

class PlaneDensity {
 public:
  virtual ~PlaneDensity() = default;
  virtual PlanePoint draw(HostRng& rng) const = 0;
  /// float64 [B, 2] -> log p in nats, float64 [B]; -inf where there is no mass.
  virtual at::Tensor log_density(const at::Tensor& x) const = 0;
  virtual int64_t num_parts() const = 0;
  /// All mass but about 1e-12 lies in [-bound, bound]^2.
  virtual double bound() const = 0;
  /// E[-log p] in nats, by quadrature where nothing better is said.
  virtual double entropy() const;
};

/// E[-log p] in nats by the midpoint rule on a 400 x 400 grid of [-bound, bound]^2, which has to hold all the
/// mass. Good to six digits for densities no sharper than three cells a deviation.
double entropy_by_quadrature(const std::function<at::Tensor(const at::Tensor&)>& log_density, double bound);

/// All of these with `noise` standard deviations in the units of the points.

/// `count` Gaussians of equal weight around a circle of the given radius.
std::unique_ptr<PlaneDensity> make_gaussians(int64_t count, double radius, double noise);
/// Circles of equal weight about the origin, blurred by isotropic noise.
std::unique_ptr<PlaneDensity> make_rings(std::vector<double> radii, double noise);
/// Eight dark squares of side 2 of a 4 x 4 board on [-4, 4]^2, blurred by isotropic noise (none: uniform).
std::unique_ptr<PlaneDensity> make_checkerboard(double noise);
/// Five blades: Gaussians of deviation (3, 1) * noise at unit distance, twisted by an angle that grows with
/// the distance from the origin, and scaled by 2.
std::unique_ptr<PlaneDensity> make_pinwheel(double noise);
/// Two half circles of radius 2 that interlock, blurred.
std::unique_ptr<PlaneDensity> make_moons(double noise);
/// A spiral of one and a half turns, t (cos t, sin t) / 5 with t uniform in [1.5 pi, 4.5 pi], blurred.
std::unique_ptr<PlaneDensity> make_swissroll(double noise);

}  // namespace gen
