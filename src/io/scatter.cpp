#include "gen/io/scatter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "gen/core/check.h"

namespace gen {
namespace {

constexpr int64_t kMargin = 16;                 // pixels between the frame and the outermost points
constexpr uint8_t kFrame = 200;                 // grey of the frame and of the axes through 0
constexpr double kInk[3] = {0.12, 0.30, 0.62};  // colour of a pixel that holds many points

struct Window {
  double x, y, units_per_pixel;  // centre and scale
};

// The smallest square that holds every point.
Window fit(const at::Tensor& points, int64_t side) {
  if (points.size(0) == 0) return {0, 0, 2.0 / static_cast<double>(side)};
  const auto low = points.amin(0), high = points.amax(0);
  const double x0 = low[0].item<double>(), y0 = low[1].item<double>();
  const double x1 = high[0].item<double>(), y1 = high[1].item<double>();
  const double extent = std::max({x1 - x0, y1 - y0, 1e-6});
  return {(x0 + x1) / 2, (y0 + y1) / 2, extent / static_cast<double>(side - 2 * kMargin)};
}

void grey(Image& image, int64_t x, int64_t y) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  std::fill_n(image.pixels.begin() + (y * image.width + x) * 3, 3, kFrame);
}

}  // namespace

Image scatter_plot(const at::Tensor& points, int64_t side) {
  GEN_CHECK(points.dim() == 2 && points.size(1) >= 1, "expected points [N, D], got {}", points.sizes().vec());
  GEN_CHECK(side > 2 * kMargin, "a plot needs more than {} pixels, got {}", 2 * kMargin, side);
  auto xy = points.detach().to(at::kCPU, at::kDouble);
  xy = xy.size(1) == 1 ? at::cat({xy, at::zeros_like(xy)}, 1) : xy.slice(1, 0, 2);
  xy = xy.index({xy.isfinite().all(1)}).contiguous();  // [N, 2]

  Image image{side, side, 3, std::vector<uint8_t>(static_cast<size_t>(side * side * 3), 255)};
  const Window window = fit(xy, side);
  const double middle = static_cast<double>(side - 1) / 2;
  const auto column = [&](double x) {
    return std::llround(middle + (x - window.x) / window.units_per_pixel);
  };
  const auto row = [&](double y) { return std::llround(middle - (y - window.y) / window.units_per_pixel); };
  for (int64_t i = 0; i < side; ++i) {
    for (const int64_t edge : {int64_t{0}, side - 1}) grey(image, i, edge), grey(image, edge, i);
    if (i % 4 == 0) grey(image, i, row(0)), grey(image, column(0), i);
  }

  std::vector<int> hits(static_cast<size_t>(side * side));
  const auto* p = xy.data_ptr<double>();
  for (int64_t i = 0; i < xy.size(0); ++i)
    for (int64_t dy = 0; dy < 2; ++dy)  // a point covers 2 x 2 pixels
      for (int64_t dx = 0; dx < 2; ++dx) {
        const int64_t x = std::clamp<int64_t>(column(p[2 * i]) + dx, 0, side - 1);
        const int64_t y = std::clamp<int64_t>(row(p[2 * i + 1]) + dy, 0, side - 1);
        ++hits[static_cast<size_t>(y * side + x)];
      }
  for (size_t i = 0; i < hits.size(); ++i) {
    if (hits[i] == 0) continue;
    const double opacity = 1 - std::pow(0.45, hits[i]);
    for (size_t c = 0; c < 3; ++c)
      image.pixels[3 * i + c] = static_cast<uint8_t>(std::lround(255 * (1 - opacity * (1 - kInk[c]))));
  }
  return image;
}

}  // namespace gen
