#include "gen/ops/attention.h"

#include <torch/torch.h>

#include "gen/core/check.h"
#include "ops/flash/cpu.h"

namespace gen::ops {
namespace {

flash::Strides strides_of(const at::Tensor& x) { return {x.stride(0), x.stride(1), x.stride(2)}; }

at::Tensor with_contiguous_rows(const at::Tensor& x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : x.contiguous();
}

flash::Problem problem_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  flash::Problem p;
  p.batch = q.size(0);
  p.heads = q.size(1);
  p.kv_heads = k.size(1);
  p.lq = q.size(2);
  p.lk = k.size(2);
  p.dim = q.size(3);
  p.dtype = q.scalar_type() == at::kFloat ? flash::DType::f32 : flash::DType::bf16;
  p.q = q.data_ptr();
  p.k = k.data_ptr();
  p.v = v.data_ptr();
  p.q_strides = strides_of(q);
  p.k_strides = strides_of(k);
  p.v_strides = strides_of(v);
  p.scale = static_cast<float>(scale);
  return p;
}

flash::ForwardResult result_of(const at::Tensor& out, const at::Tensor& lse) {
  return {out.data_ptr(), strides_of(out), lse.data_ptr<float>(), lse.stride(0), lse.stride(1)};
}

/// [B, H, L, D] laid out as [B, L, H, D], so that merging the heads afterwards copies nothing.
at::Tensor heads_last(const at::Tensor& like) {
  return at::empty({like.size(0), like.size(2), like.size(1), like.size(3)}, like.options()).transpose(1, 2);
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

std::pair<at::Tensor, at::Tensor> fused_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                double scale) {
  auto out = heads_last(q);
  auto lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
  flash::cpu::forward(problem_of(q, k, v, scale), result_of(out, lse));
  return {out, lse};
}

struct FusedAttention : torch::autograd::Function<FusedAttention> {
  static Variable forward(AutogradContext* context, const Variable& q, const Variable& k, const Variable& v,
                          double scale) {
    const auto [out, lse] = fused_forward(q, k, v, scale);
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const auto grad = with_contiguous_rows(grads[0]);
    const auto delta = at::empty_like(lse);
    const auto dq = heads_last(q), dk = heads_last(k), dv = heads_last(v);
    flash::BackwardArguments a;
    a.forward = result_of(out, lse);
    a.grad_out = grad.data_ptr();
    a.grad_out_strides = strides_of(grad);
    a.delta = delta.data_ptr<float>();
    a.grad_q = dq.data_ptr();
    a.grad_k = dk.data_ptr();
    a.grad_v = dv.data_ptr();
    a.grad_q_strides = strides_of(dq);
    a.grad_k_strides = strides_of(dk);
    a.grad_v_strides = strides_of(dv);
    flash::cpu::backward(problem_of(q, k, v, context->saved_data["scale"].toDouble()), a);
    return {dq, dk, dv, Variable()};
  }
};

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     std::optional<double> scale) {
  const bool fits = q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
                    q.size(1) == k.size(1) && q.size(3) == k.size(3);
  if (!fits)
    throw ShapeError(
        fmt::format("attention: expected q [B, H, Lq, D] and k, v [B, H, Lk, D], got q [{}], k [{}], v [{}]",
                    fmt::join(q.sizes(), ", "), fmt::join(k.sizes(), ", "), fmt::join(v.sizes(), ", ")));
  const bool fused =
      q.is_cpu() && (q.scalar_type() == at::kFloat || q.scalar_type() == at::kBFloat16) && q.numel() > 0;
  if (!fused)
    return at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/false,
                                            scale);
  const double s = scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(3))));
  return FusedAttention::apply(with_contiguous_rows(q), with_contiguous_rows(k), with_contiguous_rows(v), s);
}

}  // namespace gen::ops
