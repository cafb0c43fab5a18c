// Scaled dot-product attention behind one name.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace gen::ops {

/// softmax(q k^T * scale) v (Vaswani et al. 2017, eq. 1), never materialising [Lq, Lk]. q [B, H, Lq, D], k and v
/// [B, H, Lk, D]; scale defaults to D^-1/2. Differentiable. Throws ShapeError naming the shapes on a mismatch.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::optional<double> scale = std::nullopt);

}  // namespace gen::ops
