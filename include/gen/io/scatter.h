// Points in the plane as a picture.
#pragma once

#include <ATen/core/Tensor.h>

#include "gen/io/image.h"

namespace gen {

/// A scatter plot, `side` pixels square, of the first two columns of points [N, D], D >= 1 (a single column
/// is drawn along the horizontal axis). Both axes have the same scale and show every finite point; the darker
/// a pixel, the more points lie on it. Points that are not finite are left out.
Image scatter_plot(const at::Tensor& points, int64_t side = 512);

}  // namespace gen
