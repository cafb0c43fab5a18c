// Space to channels, so that the next scale sees half the resolution (Dinh et al. 2017, section 3.6).
#pragma once

#include "models/flow/bijector.h"

namespace gen::flow {

struct SqueezeOptions {
  void visit(OptionVisitor&) {}
};

/// [B, C, H, W] -> [B, 4C, H/2, W/2]. Channels are ordered by position within the 2 x 2 cell, diagonal first:
/// (0,0), (1,1), (0,1), (1,0), each C wide. Either half of the channels is then one colour of a checkerboard,
/// spread evenly over the image, which is what masks and factoring out want. The order is part of the
/// weights' meaning: never change it.
at::Tensor squeeze_2x2(const at::Tensor& x);
at::Tensor unsqueeze_2x2(const at::Tensor& z);

class Squeeze : public Bijector {
 public:
  /// Throws ConfigError for points and for odd heights or widths.
  explicit Squeeze(const BijectorContext& context);
  Mapped forward(const at::Tensor& x, const Condition& condition) override;
  Mapped inverse(const at::Tensor& z, const Condition& condition) override;
  Shape output_shape(const Shape& shape) const override { return {shape[0] * 4, shape[1] / 2, shape[2] / 2}; }
};

/// Throws ConfigError unless `shape` is that of an image with even height and width; `what` begins the text.
void require_even_image(const Shape& shape, const char* what);

}  // namespace gen::flow
