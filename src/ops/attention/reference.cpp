#include "ops/attention/reference.h"

#include <torch/torch.h>

#include <limits>

namespace gen::ops {
namespace {

/// row + diagonal - column, [Lq, Lk].
at::Tensor distance(int64_t lq, int64_t lk, int64_t diagonal, const at::Device& device) {
  const auto options = at::TensorOptions(at::kLong).device(device);
  return at::arange(lq, options).unsqueeze(1) + diagonal - at::arange(lk, options).unsqueeze(0);
}

/// 0 where a weight is dropped, else 1 / (1 - p): [B, H, Lq, Lk], by the kernels' own function.
at::Tensor dropout_factors(const flash::Dropout& dropout, at::IntArrayRef sizes, int64_t first_batch,
                           int64_t heads) {
  auto factors = at::empty(sizes, at::kFloat);
  float* to = factors.data_ptr<float>();
  for (int64_t b = 0; b < sizes[0]; ++b)
    for (int64_t h = 0; h < sizes[1]; ++h)
      for (int64_t i = 0; i < sizes[2]; ++i)
        for (int64_t j = 0; j < sizes[3]; ++j)
          *to++ = dropout.keeps(static_cast<uint32_t>(i), static_cast<uint32_t>(j),
                                static_cast<uint32_t>((first_batch + b) * heads + h))
                      ? dropout.keep_scale()
                      : 0.0F;
  return factors;
}

at::Tensor repeat_heads(const at::Tensor& x, int64_t heads) {
  return x.repeat_interleave(heads / x.size(1), 1);
}

/// Tensors [B, H, L, D]; `first_batch` counts for dropout, ALiBi and bias.
AttentionResult dense(const AttentionCall& c, const at::Tensor& q_in, const at::Tensor& k_in,
                      const at::Tensor& v_in, int64_t first_batch) {
  const auto& o = c.options;
  const auto dtype = q_in.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t B = q_in.size(0), H = q_in.size(1), Lq = q_in.size(2), Lk = k_in.size(2);
  const auto q = q_in.to(dtype);
  // What the mask hides may be anything, and 0 NaN = NaN.
  const auto keys = [&](const at::Tensor& x) {
    const auto& seen = o.key_padding_mask;
    return repeat_heads(seen.defined()
                            ? x.to(dtype).masked_fill(seen.logical_not().unsqueeze(1).unsqueeze(3), 0)
                            : x.to(dtype),
                        H);
  };
  const auto k = keys(k_in), v = keys(v_in);  // [B, H, Lk, D]
  const auto part = [&](const at::Tensor& x) {
    return x.size(0) == 1 ? x : x.slice(0, first_batch, first_batch + B);
  };

  auto s = at::matmul(q, k.transpose(2, 3)) * c.scale();  // [B, H, Lq, Lk]
  if (o.softcap > 0) s = o.softcap * at::tanh(s / o.softcap);
  if (o.bias.defined()) {
    auto bias = o.bias;
    while (bias.dim() < 4) bias = bias.unsqueeze(0);
    bias = part(bias);
    if (bias.size(2) > 1) bias = bias.slice(2, 0, Lq);
    if (bias.size(3) > 1) bias = bias.slice(3, 0, Lk);
    s = s + bias.to(dtype);
  }
  const int64_t diagonal = o.alignment == Alignment::bottom_right ? Lk - Lq : 0;
  const auto from_diagonal = distance(Lq, Lk, diagonal, q.device());
  if (o.alibi_slopes.defined()) {
    const auto slopes = o.alibi_slopes.dim() == 1 ? o.alibi_slopes.unsqueeze(0) : part(o.alibi_slopes);
    s = s - slopes.to(dtype).unsqueeze(2).unsqueeze(3) * from_diagonal.abs().to(dtype);
  }
  auto visible =
      from_diagonal.le(c.window_left()).logical_and(from_diagonal.ge(-c.window_right()));  // [Lq, Lk]
  if (o.key_padding_mask.defined())
    visible = visible.logical_and(o.key_padding_mask.unsqueeze(1).unsqueeze(2));
  s = s.masked_fill(visible.logical_not(), -std::numeric_limits<double>::infinity());

  auto largest =
      Lk > 0 ? std::get<0>(s.detach().max(3, /*keepdim=*/true)) : at::zeros({B, H, Lq, 1}, s.options());
  largest = at::where(largest.isinf(), at::zeros_like(largest), largest);
  const auto e = at::exp(s - largest);  // 0 where hidden
  const auto sum = e.sum(3, /*keepdim=*/true);
  auto p = e / at::where(sum == 0, at::ones_like(sum), sum);
  if (o.dropout > 0) p = p * dropout_factors(c.dropout(), p.sizes(), first_batch, H).to(p.options());
  return {at::matmul(p, v).to(q_in.scalar_type()),
          (largest + at::log(sum.detach())).squeeze(3).to(at::kFloat)};
}

}  // namespace

AttentionResult reference_attention(const AttentionCall& c) {
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::autocast_dispatch_keyset);
  if (!c.is_packed() && !c.used_k.defined()) return dense(c, c.q, c.k, c.v, 0);
  std::vector<at::Tensor> outs, lses;
  const auto list = [](const at::Tensor& x) {
    const auto on_host = x.to(at::kCPU, at::kLong);
    return std::vector<int64_t>(on_host.data_ptr<int64_t>(), on_host.data_ptr<int64_t>() + on_host.numel());
  };
  if (c.is_packed()) {
    const auto cu_q = list(c.packed.cu_seqlens_q), cu_k = list(c.packed.cu_seqlens_k);
    for (size_t b = 0; b + 1 < cu_q.size(); ++b) {
      const auto one = [](const at::Tensor& x, int64_t begin, int64_t end) {
        return x.slice(0, begin, end).transpose(0, 1).unsqueeze(0);  // [1, H, L, D]
      };
      const auto r = dense(c, one(c.q, cu_q[b], cu_q[b + 1]), one(c.k, cu_k[b], cu_k[b + 1]),
                           one(c.v, cu_k[b], cu_k[b + 1]), static_cast<int64_t>(b));
      outs.push_back(r.out[0].transpose(0, 1));
      lses.push_back(r.lse[0]);
    }
    if (outs.empty())
      return {at::zeros_like(c.q), at::zeros({c.heads(), 0}, c.q.options().dtype(at::kFloat))};
    return {at::cat(outs, 0), at::cat(lses, 1)};
  }
  const auto used = list(c.used_k);
  for (int64_t b = 0; b < c.batch(); ++b) {
    const auto keys = [&](const at::Tensor& x) {
      return x.slice(0, b, b + 1).slice(2, 0, used[static_cast<size_t>(b)]);
    };
    const auto r = dense(c, c.q.slice(0, b, b + 1), keys(c.k), keys(c.v), b);
    outs.push_back(r.out);
    lses.push_back(r.lse);
  }
  if (outs.empty()) return dense(c, c.q, c.k, c.v, 0);
  return {at::cat(outs, 0), at::cat(lses, 0)};
}

}  // namespace gen::ops
