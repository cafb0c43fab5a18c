#include "ops/attention/flash_arguments.h"

#include "gen/core/check.h"
#include "ops/cuda_launch.h"

namespace gen::ops {
namespace {

std::optional<at::Tensor> present(const at::Tensor& x) {
  return x.defined() ? std::optional(x) : std::nullopt;
}

flash::DType kernel_dtype(const at::Tensor& x) {
  const auto dtype = dtype_of(x.scalar_type());
  GEN_CHECK(dtype, "attention kernels have no {}", toString(x.scalar_type()));
  return *dtype;
}

void describe_bias(const at::Tensor& bias, flash::Problem& p) {
  p.bias = bias.data_ptr();
  p.bias_dtype = kernel_dtype(bias);
  for (int64_t i = 0; i < bias.dim(); ++i) {
    const int64_t dim = bias.dim() - 1 - i;
    p.bias_strides[3 - i] = bias.size(dim) == 1 ? 0 : bias.stride(dim);
  }
}

}  // namespace

FlashArguments flash_arguments(const AttentionCall& call) {
  const auto& o = call.options;
  return {.key_padding_mask = present(o.key_padding_mask),
          .bias = present(o.bias),
          .alibi_slopes = present(o.alibi_slopes),
          .cu_seqlens_q = present(call.packed.cu_seqlens_q),
          .cu_seqlens_k = present(call.packed.cu_seqlens_k),
          .used_k = present(call.used_k),
          .max_q = call.packed.max_q,
          .max_k = call.packed.max_k,
          .scale = o.scale,
          .softcap = o.softcap,
          .dropout = o.dropout,
          .seed = o.seed,
          .offset = o.offset,
          .window_left = o.window_left.value_or(-1),
          .window_right = o.window_right.value_or(-1),
          .causal = o.causal,
          .bottom_right = o.alignment == Alignment::bottom_right,
          .deterministic = o.deterministic};
}

AttentionCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const FlashArguments& a) {
  AttentionCall call{
      .q = q, .k = k, .v = v, .options = {}, .packed = {}, .used_k = a.used_k.value_or(at::Tensor())};
  auto& o = call.options;
  o.scale = a.scale;
  o.causal = a.causal;
  o.alignment = a.bottom_right ? Alignment::bottom_right : Alignment::top_left;
  if (a.window_left >= 0) o.window_left = a.window_left;
  if (a.window_right >= 0) o.window_right = a.window_right;
  o.key_padding_mask = a.key_padding_mask.value_or(at::Tensor());
  o.bias = a.bias.value_or(at::Tensor());
  o.alibi_slopes = a.alibi_slopes.value_or(at::Tensor());
  o.softcap = a.softcap;
  o.dropout = a.dropout;
  o.seed = a.seed;
  o.offset = a.offset;
  o.deterministic = a.deterministic;
  call.packed = {a.cu_seqlens_q.value_or(at::Tensor()), a.cu_seqlens_k.value_or(at::Tensor()), a.max_q,
                 a.max_k};
  return call;
}

at::Tensor with_contiguous_rows(const at::Tensor& x) {
  const int64_t last = x.dim() - 1;
  return x.stride(last) == 1 || x.size(last) == 1 ? x : x.contiguous();
}

flash::Strides strides_of(const at::Tensor& x) {
  if (x.dim() == 3) return {0, x.stride(1), x.stride(0)};
  return {x.stride(0), x.stride(1), x.stride(2)};
}

PreparedProblem prepare(const AttentionCall& c) {
  PreparedProblem result;
  const auto keep = [&](const at::Tensor& x) { return result.kept.emplace_back(x); };
  auto& p = result.problem;
  const auto q = keep(with_contiguous_rows(c.q)), k = keep(with_contiguous_rows(c.k)),
             v = keep(with_contiguous_rows(c.v));
  p.batch = c.batch();
  p.heads = c.heads();
  p.kv_heads = c.kv_heads();
  p.lq = c.lq();
  p.lk = c.lk();
  p.dim = q.size(q.dim() - 1);
  p.dtype = kernel_dtype(q);
  p.q = q.data_ptr();
  p.k = k.data_ptr();
  p.v = v.data_ptr();
  p.q_strides = strides_of(q);
  p.k_strides = strides_of(k);
  p.v_strides = strides_of(v);
  p.scale = static_cast<float>(c.scale());
  p.softcap = static_cast<float>(c.options.softcap);
  p.bottom_right = c.options.alignment == Alignment::bottom_right;
  p.left = c.window_left();
  p.right = c.window_right();
  p.dropout = c.dropout();
  if (const auto& mask = c.options.key_padding_mask; mask.defined()) {
    const auto bytes = keep(mask.to(at::kByte).contiguous());
    p.key_mask = bytes.data_ptr<uint8_t>();
    p.key_mask_stride = bytes.size(1);
  }
  if (c.options.bias.defined())
    describe_bias(
        keep(c.options.bias.scalar_type() == at::kDouble ? c.options.bias.to(at::kFloat) : c.options.bias),
        p);
  if (const auto& slopes = c.options.alibi_slopes; slopes.defined()) {
    const auto floats = keep(slopes.to(at::kFloat).contiguous());
    p.alibi_slopes = floats.data_ptr<float>();
    p.alibi_batch_stride = floats.dim() == 2 ? floats.size(1) : 0;
  }
  if (c.is_packed()) {
    p.cu_seqlens_q = keep(c.packed.cu_seqlens_q.contiguous()).data_ptr<int32_t>();
    p.cu_seqlens_k = keep(c.packed.cu_seqlens_k.contiguous()).data_ptr<int32_t>();
  }
  if (c.used_k.defined()) p.used_k = keep(c.used_k.contiguous()).data_ptr<int32_t>();
  return result;
}

}  // namespace gen::ops
