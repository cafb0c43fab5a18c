// Full-reference image quality, image by image. Images are [B, C, H, W] with values in [0, 1].
#pragma once

#include <ATen/core/Tensor.h>

namespace gen {

/// Side of ssim()'s window: images must be at least that high and wide.
inline constexpr int64_t kSsimWindow = 11;

/// Mean squared error of each example, [B, ...] -> [B].
at::Tensor mean_squared_error(const at::Tensor& a, const at::Tensor& b);

/// Peak signal-to-noise ratio 10 log10(1 / MSE) in dB, [B]. An MSE below 1e-10 counts as 1e-10, which is 100
/// dB.
at::Tensor psnr(const at::Tensor& a, const at::Tensor& b);

/// Structural similarity (Wang et al. 2004, eq. 13), [B]: Gaussian window 11x11 with sigma 1.5, K1 = 0.01, K2
/// = 0.03, data range 1, windows that lie wholly inside the image, mean over positions and channels. Throws
/// ShapeError where the shapes differ or an image is smaller than the window.
at::Tensor ssim(const at::Tensor& a, const at::Tensor& b);

}  // namespace gen
