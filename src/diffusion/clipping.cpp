#include "diffusion/clipping.h"

#include <ATen/ATen.h>

namespace gen {

void ClippingOptions::visit(OptionVisitor& v) {
  v.field("clip_sample", clip_sample,
          "clip the predicted x0 at every step; null: for images, not for points");
  v.field("clip_sample_range", clip_sample_range, "bound of the clipping; images lie in [-1, 1]",
          {.min = 0, .exclusive_min = true});
}

std::optional<double> clipping_bound(const ClippingOptions& options, const Denoiser& denoise) {
  if (!options.clip_sample.value_or(denoise.data_bound().has_value())) return std::nullopt;
  return options.clip_sample_range;
}

at::Tensor clipped(const at::Tensor& x0, std::optional<double> bound) {
  return bound ? x0.clamp(-*bound, *bound) : x0;
}

}  // namespace gen
