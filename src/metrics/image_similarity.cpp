#include "metrics/image_similarity.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "gen/core/error.h"

namespace gen {
namespace {

constexpr double kMinMse = 1e-10;

void check_same_shape(const at::Tensor& a, const at::Tensor& b) {
  if (!a.sizes().equals(b.sizes()))
    throw ShapeError(fmt::format("expected two images of one shape, got [{}] and [{}]",
                                 fmt::join(a.sizes(), ", "), fmt::join(b.sizes(), ", ")));
}

/// Weighted means over every window inside the image; x [N, 1, H, W] -> [N, 1, H - 10, W - 10].
at::Tensor window_mean(const at::Tensor& x) {
  constexpr double kSigma = 1.5;
  const auto offset = at::arange(kSsimWindow, x.options()) - static_cast<double>(kSsimWindow / 2);
  auto weight = (-0.5 * (offset / kSigma).square()).exp();
  weight = weight / weight.sum();
  return at::conv2d(at::conv2d(x, weight.view({1, 1, -1, 1})), weight.view({1, 1, 1, -1}));
}

}  // namespace

at::Tensor mean_squared_error(const at::Tensor& a, const at::Tensor& b) {
  check_same_shape(a, b);
  return (a.to(at::kDouble) - b.to(at::kDouble)).square().flatten(1).mean(1);
}

at::Tensor psnr(const at::Tensor& a, const at::Tensor& b) {
  return -10 * mean_squared_error(a, b).clamp_min(kMinMse).log10();
}

at::Tensor ssim(const at::Tensor& a, const at::Tensor& b) {
  check_same_shape(a, b);
  if (a.dim() != 4 || a.size(2) < kSsimWindow || a.size(3) < kSsimWindow)
    throw ShapeError(fmt::format("ssim: expected images [B, C, H, W] of at least {0}x{0}, got [{1}]",
                                 kSsimWindow, fmt::join(a.sizes(), ", ")));
  constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;  // (K L)^2 with L = 1
  // Double: the variances are small differences of squares.
  const auto x = a.to(at::kDouble).flatten(0, 1).unsqueeze(1);  // [B C, 1, H, W]
  const auto y = b.to(at::kDouble).flatten(0, 1).unsqueeze(1);
  const auto mean_x = window_mean(x), mean_y = window_mean(y);
  const auto var_x = window_mean(x * x) - mean_x.square();
  const auto var_y = window_mean(y * y) - mean_y.square();
  const auto covariance = window_mean(x * y) - mean_x * mean_y;
  const auto similarity = ((2 * mean_x * mean_y + kC1) * (2 * covariance + kC2)) /
                          ((mean_x.square() + mean_y.square() + kC1) * (var_x + var_y + kC2));
  return similarity.mean({1, 2, 3}).view({a.size(0), a.size(1)}).mean(1);
}

}  // namespace gen
