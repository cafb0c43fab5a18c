#include "ops/attention/flash_kernels.h"

#include <ATen/Functions.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "gen/core/check.h"
#include "gen/core/device.h"
#include "gen/ops/flash/launchers.h"
#include "ops/attention/flash_arguments.h"
#include "ops/flash/cpu.h"

namespace gen::ops {
namespace {

/// [B, H, L, D] laid out as [B, L, H, D], so that merging the heads afterwards copies nothing; [total, H, D] as it is.
at::Tensor heads_last(const at::Tensor& like) {
  if (like.dim() == 3) return at::empty_symint(like.sym_sizes(), like.options());
  return at::empty_symint({like.sym_size(0), like.sym_size(2), like.sym_size(1), like.sym_size(3)},
                          like.options())
      .transpose(1, 2);
}

flash::ForwardResult view_of(const AttentionResult& r) {
  const bool packed = r.lse.dim() == 2;
  return {r.out.data_ptr(), strides_of(r.out), r.lse.data_ptr<float>(), packed ? 0 : r.lse.stride(0),
          r.lse.stride(packed ? 0 : 1)};
}

/// A launcher of libgen_cuda.so; throws where it is missing.
template <class Launcher>
Launcher launcher(const char* symbol) {
  std::string why;
  void* found = cuda_symbol(symbol, &why);
  if (found == nullptr)
    throw ConfigError(
        fmt::format("attention: the fused path needs our CUDA kernels: {} (set attention to \"sdpa\")", why));
  return reinterpret_cast<Launcher>(found);
}

/// While it lives, the tensor's device is the current one, to which our launchers' kernels go, by the stream that torch uses.
class OnDeviceOf {
 public:
  explicit OnDeviceOf(const at::Tensor& x)
      : guard_(x.device()), stream_(c10::impl::VirtualGuardImpl(x.device().type()).getStream(x.device())) {}
  void* stream() const { return stream_.native_handle(); }

 private:
  c10::DeviceGuard guard_;
  c10::Stream stream_;
};

void check_launch(int error) {
  if (error < 0)
    throw ConfigError(
        "attention: our CUDA kernels have no variant for this problem (set attention to \"sdpa\" or "
        "\"reference\")");
  GEN_CHECK(error == 0, "an attention kernel failed with CUDA error {}", error);
}

at::Tensor workspace(const flash::Problem& p, bool backward, bool deterministic, const at::Tensor& like) {
  const size_t bytes =
      launcher<flash::WorkspaceLauncher>(flash::kWorkspaceSymbol)(&p, backward, deterministic);
  return at::empty({static_cast<int64_t>(bytes)}, like.options().dtype(at::kByte));
}

}  // namespace

AttentionResult empty_result(const at::Tensor& q) {
  const auto options = q.options().dtype(at::kFloat);
  const auto lse = q.dim() == 3 ? at::empty_symint({q.sym_size(1), q.sym_size(0)}, options)
                                : at::empty_symint({q.sym_size(0), q.sym_size(1), q.sym_size(2)}, options);
  return {heads_last(q), lse};
}

AttentionGrads empty_grads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const at::Tensor& bias) {
  return {heads_last(q), heads_last(k), heads_last(v),
          bias.defined() ? at::empty_symint(bias.sym_sizes(), bias.options()) : at::empty({0}, q.options())};
}

AttentionResult run_forward(const AttentionCall& c) {
  const auto result = empty_result(c.q);
  if (c.q.numel() == 0) return result;
  const PreparedProblem prepared = prepare(c);
  const auto target = view_of(result);
  if (c.q.is_cpu()) {
    flash::cpu::forward(prepared.problem, target);
  } else {
    const OnDeviceOf device(c.q);
    const auto room = workspace(prepared.problem, /*backward=*/false, c.options.deterministic, c.q);
    check_launch(launcher<flash::ForwardLauncher>(flash::kForwardSymbol)(
        &prepared.problem, &target, room.data_ptr(), static_cast<size_t>(room.numel()), device.stream()));
  }
  return result;
}

AttentionGrads run_backward(const AttentionCall& c, const at::Tensor& grad_out,
                            const AttentionResult& forward, bool bias_grad) {
  const auto& bias = c.options.bias;
  auto grads = empty_grads(c.q, c.k, c.v, bias_grad ? bias : at::Tensor());
  auto float_bias = bias_grad ? at::zeros(bias.sizes(), bias.options().dtype(at::kFloat)) : at::Tensor();
  const auto finish = [&] {
    if (bias_grad) grads.bias.copy_(float_bias);
    return grads;
  };
  if (c.q.numel() == 0 || c.k.numel() == 0) {
    for (auto* x : {&grads.q, &grads.k, &grads.v}) x->zero_();
    return finish();
  }
  const auto grad = with_contiguous_rows(grad_out.to(c.q.scalar_type()));
  const auto delta = at::empty_like(forward.lse);
  const PreparedProblem prepared = prepare(c);
  flash::BackwardArguments a;
  a.forward = view_of(forward);
  a.grad_out = grad.data_ptr();
  a.grad_out_strides = strides_of(grad);
  a.delta = delta.data_ptr<float>();
  a.grad_q = grads.q.data_ptr();
  a.grad_k = grads.k.data_ptr();
  a.grad_v = grads.v.data_ptr();
  a.grad_q_strides = strides_of(grads.q);
  a.grad_k_strides = strides_of(grads.k);
  a.grad_v_strides = strides_of(grads.v);
  a.deterministic = c.options.deterministic;
  if (bias_grad) {
    a.grad_bias = float_bias.data_ptr<float>();
    for (int64_t i = 0; i < bias.dim(); ++i) a.grad_bias_sizes[4 - bias.dim() + i] = bias.size(i);
  }
  if (c.q.is_cpu()) {
    flash::cpu::backward(prepared.problem, a);
  } else {
    const OnDeviceOf device(c.q);
    const auto room = workspace(prepared.problem, /*backward=*/true, c.options.deterministic, c.q);
    check_launch(launcher<flash::BackwardLauncher>(flash::kBackwardSymbol)(
        &prepared.problem, &a, room.data_ptr(), static_cast<size_t>(room.numel()), device.stream()));
  }
  return finish();
}

}  // namespace gen::ops
