#include "models/flow/mask.h"

#include "gen/core/error.h"
#include "models/flow/squeeze.h"

namespace gen::flow {
namespace {

Shape with_channels(Shape shape, int64_t channels) {
  shape[0] = channels;
  return shape;
}

// even [B, (D+1)/2] and odd [B, D/2] to [B, D]; for odd D the last pair lacks its second.
at::Tensor interleave(const at::Tensor& even, const at::Tensor& odd) {
  const int64_t d = even.size(1) + odd.size(1);
  const auto second = even.size(1) == odd.size(1) ? odd : at::constant_pad_nd(odd, {0, 1});
  return at::stack({even, second}, 2).flatten(1).slice(1, 0, d);
}

}  // namespace

Mask::Mask(MaskKind kind, bool swap, const Shape& shape) : kind_(kind), swap_(swap) {
  Shape first, second;
  if (kind == MaskKind::checkerboard) {
    require_even_image(shape, "a checkerboard mask");
    first = second = {shape[0] * 2, shape[1] / 2, shape[2] / 2};
  } else {
    if (shape[0] < 2)
      throw ConfigError(
          fmt::format("a coupling keeps one half and changes the other, but an example of shape {} has "
                      "nothing to split; images of one channel need a checkerboard mask or a squeeze",
                      to_string(shape)));
    if (kind == MaskKind::odd_even && shape.size() != 1)
      throw ConfigError(
          fmt::format("an odd_even mask works on points, but the data have shape {}; images take "
                      "checkerboard or halves",
                      to_string(shape)));
    first = with_channels(shape, (shape[0] + 1) / 2);
    second = with_channels(shape, shape[0] / 2);
  }
  kept_ = swap ? second : first;
  changed_ = swap ? first : second;
}

Mask::Halves Mask::split(const at::Tensor& x) const {
  const int64_t first = swap_ ? changed_[0] : kept_[0];
  Halves halves;
  if (kind_ == MaskKind::odd_even) {
    halves = {x.slice(1, 0, std::nullopt, 2), x.slice(1, 1, std::nullopt, 2)};
  } else {
    const auto channels = kind_ == MaskKind::checkerboard ? squeeze_2x2(x) : x;
    halves = {channels.slice(1, 0, first), channels.slice(1, first)};
  }
  if (swap_) std::swap(halves.kept, halves.changed);
  return halves;
}

at::Tensor Mask::merge(const at::Tensor& kept, const at::Tensor& changed) const {
  const auto& first = swap_ ? changed : kept;
  const auto& second = swap_ ? kept : changed;
  if (kind_ == MaskKind::odd_even) return interleave(first, second);
  const auto channels = at::cat({first, second}, 1);
  return kind_ == MaskKind::checkerboard ? unsqueeze_2x2(channels) : channels;
}

}  // namespace gen::flow
