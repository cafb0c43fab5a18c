// Outlines as signed distances: negative inside, in units of the shape's radius.
#pragma once

#include <array>
#include <vector>

namespace gen {

enum class ShapeKind { circle, square, triangle, star, heart, ring };
inline constexpr std::array<const char*, 6> kShapeNames{"circle", "square", "triangle",
                                                        "star",   "heart",  "ring"};

struct Point {
  double x = 0, y = 0;
};

/// A shape that fits the unit circle, y pointing down.
class Outline {
 public:
  explicit Outline(ShapeKind kind);
  /// Distance to the edge: exact outside and near it, which is where it decides the coverage of a pixel.
  double distance(Point p) const;

 private:
  ShapeKind kind_;
  std::vector<Point> corners_;
};

}  // namespace gen
