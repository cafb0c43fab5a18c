#include "gen/ops/attention.h"

#include <ATen/Functions.h>

#include "gen/core/check.h"

namespace gen::ops {

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::optional<double> scale) {
  const bool fits = q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
                    q.size(1) == k.size(1) && q.size(3) == k.size(3);
  if (!fits)
    throw ShapeError(
        fmt::format("attention: expected q [B, H, Lq, D] and k, v [B, H, Lk, D], got q [{}], k [{}], v [{}]",
                    fmt::join(q.sizes(), ", "), fmt::join(k.sizes(), ", "), fmt::join(v.sizes(), ", ")));
  return at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/false,
                                          scale);
}

}  // namespace gen::ops
