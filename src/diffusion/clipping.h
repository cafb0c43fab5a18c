// Clipping of the predicted x0, which solvers share.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "gen/config/options.h"
#include "gen/diffusion/sampler.h"

namespace gen {

struct ClippingOptions {
  std::optional<bool> clip_sample;  ///< null: where the denoiser knows the range of clean data
  double clip_sample_range = 1.0;
  void visit(OptionVisitor& v);
};

/// The bound that applies to this denoiser's x0; none: leave it as it is.
std::optional<double> clipping_bound(const ClippingOptions& options, const Denoiser& denoise);
/// x0 clamped to [-bound, bound].
at::Tensor clipped(const at::Tensor& x0, std::optional<double> bound);

}  // namespace gen
