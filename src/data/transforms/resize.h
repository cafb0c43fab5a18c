// Scaling of 8-bit images with antialiasing, on one thread.
#pragma once

#include "gen/io/image.h"

namespace gen {

/// A rectangle of pixels.
struct Region {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// `region` of `image`, which lies within it, scaled to width x height by a triangle filter that widens with
/// the reduction: what PIL calls BILINEAR with its antialiasing, equal to it within one level.
Image resize(const Image& image, const Region& region, int64_t width, int64_t height);

/// To `channels` (1 or 3): grey is repeated; colour becomes ITU-R 601 luma, as PIL's "L".
Image with_channels(const Image& image, int64_t channels);

}  // namespace gen
