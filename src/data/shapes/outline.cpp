#include "data/shapes/outline.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace gen {
namespace {

/// `count` corners, at `outer` and `inner` from the centre in turn, the first one straight up.
std::vector<Point> star_corners(int count, double outer, double inner) {
  std::vector<Point> corners;
  for (int i = 0; i < count; ++i) {
    const double angle = 2 * std::numbers::pi * i / count, radius = i % 2 == 0 ? outer : inner;
    corners.push_back({radius * std::sin(angle), -radius * std::cos(angle)});
  }
  return corners;
}

std::vector<Point> corners_of(ShapeKind kind) {
  constexpr double kHalf = 0.8;  // half the side of the square: as heavy to the eye as the circle
  switch (kind) {
    case ShapeKind::square:
      return {{-kHalf, -kHalf}, {kHalf, -kHalf}, {kHalf, kHalf}, {-kHalf, kHalf}};
    case ShapeKind::triangle:
      return {{0, -1}, {std::sqrt(0.75), 0.5}, {-std::sqrt(0.75), 0.5}};
    case ShapeKind::star:
      return star_corners(10, 1.0, 0.46);
    default:
      return {};
  }
}

/// Distance to the nearest edge, negative inside (by the crossing rule).
double polygon_distance(const std::vector<Point>& corners, Point p) {
  double nearest = std::numeric_limits<double>::infinity();
  bool inside = false;
  for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    const Point edge{b.x - a.x, b.y - a.y}, to{p.x - a.x, p.y - a.y};
    const double along = (to.x * edge.x + to.y * edge.y) / (edge.x * edge.x + edge.y * edge.y);
    const double t = std::clamp(along, 0.0, 1.0);
    nearest = std::min(nearest, std::hypot(to.x - t * edge.x, to.y - t * edge.y));
    if ((a.y > p.y) != (b.y > p.y) && p.x < a.x + edge.x * (p.y - a.y) / edge.y) inside = !inside;
  }
  return inside ? -nearest : nearest;
}

/// Two discs on the upper sides of a square that stands on its corner.
double heart_distance(Point p) {
  constexpr double kSide = 0.98, kTip = 0.86;
  const double h = kSide / 2, root = std::numbers::sqrt2;
  const Point middle{0, kTip - kSide / root};  // centre of the square
  const Point q{p.x - middle.x, p.y - middle.y};
  const Point turned{(q.x + q.y) / root, (q.y - q.x) / root};
  const Point beyond{std::abs(turned.x) - h, std::abs(turned.y) - h};
  const double square = std::hypot(std::max(beyond.x, 0.0), std::max(beyond.y, 0.0)) +
                        std::min(std::max(beyond.x, beyond.y), 0.0);
  const double disc = std::hypot(std::abs(q.x) - h / root, q.y + h / root) - h;
  return std::min(square, disc);
}

}  // namespace

Outline::Outline(ShapeKind kind) : kind_(kind), corners_(corners_of(kind)) {}

double Outline::distance(Point p) const {
  switch (kind_) {
    case ShapeKind::circle:
      return std::hypot(p.x, p.y) - 0.92;
    case ShapeKind::ring:
      return std::abs(std::hypot(p.x, p.y) - 0.74) - 0.22;
    case ShapeKind::heart:
      return heart_distance(p);
    default:
      return polygon_distance(corners_, p);
  }
}

}  // namespace gen
