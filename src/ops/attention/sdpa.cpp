#include "ops/attention/sdpa.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

namespace gen::ops {
namespace {

at::Tensor torchs(const AttentionCall& c, const std::optional<at::Tensor>& bias) {
  return at::scaled_dot_product_attention(c.q, c.k, c.v, bias, /*dropout_p=*/0.0, c.options.causal, c.scale(),
                                          /*enable_gqa=*/c.heads() != c.kv_heads());
}

}  // namespace

std::string sdpa_refusal(const AttentionCall& c) {
  const auto& o = c.options;
  if (c.is_packed() || c.used_k.defined()) return "expected a dense batch, got sequences of several lengths";
  if (o.softcap > 0) return "expected no softcap, got one";
  if (o.dropout > 0) return "expected no dropout (its mask is not ours), got some";
  if (o.alibi_slopes.defined()) return "expected no alibi_slopes, got some";
  if (o.window_left || (o.window_right && !o.causal)) return "expected no window, got one";
  if (o.key_padding_mask.defined())
    return "expected no key_padding_mask (a row that sees no key is not 0 there), got one";
  if (o.causal && c.lq() != c.lk() && o.alignment != Alignment::top_left)
    return "expected causal attention aligned top left where Lq and Lk differ, got bottom right";
  if (o.causal && o.bias.defined()) return "expected causal or bias, got both";
  return "";
}

bool sdpa_is_preferred(const AttentionCall& c, std::string_view instruction_set) {
  // Our CUDA kernels have not run on a GPU yet (cuda/README.md).
  if (c.q.is_cuda()) return sdpa_refusal(c).empty();
  if (!c.q.is_cpu() || instruction_set.starts_with("avx512") || !sdpa_refusal(c).empty()) return false;
  const bool wants_gradient =
      at::GradMode::is_enabled() && (c.q.requires_grad() || c.k.requires_grad() || c.v.requires_grad());
  const bool plain = !c.options.causal && !c.options.bias.defined();
  return plain && !wants_gradient && c.lq() >= 512 && c.lk() >= 512 && c.q.size(3) >= 64;
}

at::Tensor sdpa_attention(const AttentionCall& c) {
  if (!c.options.bias.defined()) return torchs(c, std::nullopt);
  // A row whose bias is -infinity everywhere sees no key and is 0, where torch may give NaN on some devices.
  const auto bias = c.options.bias.to(c.q.scalar_type());
  const auto hidden = bias.isneginf().all(-1, /*keepdim=*/true);
  return torchs(c, bias.masked_fill(hidden, 0)).masked_fill(hidden, 0);
}

}  // namespace gen::ops
