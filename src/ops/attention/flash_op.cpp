#include "ops/attention/flash_op.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch/torch.h>

#include "gen/core/device.h"
#include "gen/core/error.h"
#include "gen/ops/flash/launchers.h"
#include "ops/attention/flash_arguments.h"
#include "ops/attention/flash_kernels.h"

namespace gen::ops {
namespace {

using c10::IValue;
using torch::jit::Stack;

// Beyond q, k and v. The kernels below take their arguments boxed, so this list is read and written in one place each.
constexpr const char* kOptions =
    "Tensor? key_padding_mask=None, Tensor? bias=None, Tensor? alibi_slopes=None, Tensor? cu_seqlens_q=None, "
    "Tensor? cu_seqlens_k=None, Tensor? used_k=None, int max_q=0, int max_k=0, float? scale=None, float "
    "softcap=0.0, "
    "float dropout=0.0, int seed=0, int offset=0, int window_left=-1, int window_right=-1, bool "
    "causal=False, "
    "bool bottom_right=True, bool deterministic=True";
constexpr size_t kNumOptions = 18;

FlashArguments read_options(const Stack& stack, size_t i) {
  const auto tensor = [&] { return stack[i++].toOptional<at::Tensor>(); };
  FlashArguments a;
  for (auto* x : {&a.key_padding_mask, &a.bias, &a.alibi_slopes, &a.cu_seqlens_q, &a.cu_seqlens_k, &a.used_k})
    *x = tensor();
  a.max_q = stack[i++].toInt();
  a.max_k = stack[i++].toInt();
  a.scale = stack[i++].toOptional<double>();
  for (auto* x : {&a.softcap, &a.dropout}) *x = stack[i++].toDouble();
  for (auto* x : {&a.seed, &a.offset, &a.window_left, &a.window_right}) *x = stack[i++].toInt();
  for (auto* x : {&a.causal, &a.bottom_right, &a.deterministic}) *x = stack[i++].toBool();
  return a;
}

void write_options(Stack& stack, const FlashArguments& a) {
  for (const auto* x :
       {&a.key_padding_mask, &a.bias, &a.alibi_slopes, &a.cu_seqlens_q, &a.cu_seqlens_k, &a.used_k})
    stack.emplace_back(*x);
  stack.emplace_back(a.max_q);
  stack.emplace_back(a.max_k);
  stack.emplace_back(a.scale);
  for (const double x : {a.softcap, a.dropout}) stack.emplace_back(x);
  for (const int64_t x : {a.seed, a.offset, a.window_left, a.window_right}) stack.emplace_back(x);
  for (const bool x : {a.causal, a.bottom_right, a.deterministic}) stack.emplace_back(x);
}

/// What the backward operator is given before the options, in this order.
struct BackwardInputs {
  at::Tensor grad_out, q, k, v, out, lse;
  FlashArguments options;
  bool bias_grad = false;
};

const c10::OperatorHandle& forward_op() {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("gen::flash_attention", "");
  return op;
}
const c10::OperatorHandle& backward_op() {
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("gen::flash_attention_backward", "");
  return op;
}

AttentionResult call_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const FlashArguments& options) {
  Stack stack{q, k, v};
  write_options(stack, options);
  forward_op().callBoxed(stack);
  return {stack[0].toTensor(), stack[1].toTensor()};
}

std::vector<at::Tensor> call_backward(const BackwardInputs& in) {
  Stack stack{in.grad_out, in.q, in.k, in.v, in.out, in.lse};
  write_options(stack, in.options);
  stack.emplace_back(in.bias_grad);
  backward_op().callBoxed(stack);
  return {stack[0].toTensor(), stack[1].toTensor(), stack[2].toTensor(), stack[3].toTensor()};
}

struct ForwardInputs {
  at::Tensor q, k, v;
  FlashArguments options;
};
ForwardInputs take_forward(Stack& stack) {
  const size_t first = stack.size() - 3 - kNumOptions;
  ForwardInputs in{stack[first].toTensor(), stack[first + 1].toTensor(), stack[first + 2].toTensor(),
                   read_options(stack, first + 3)};
  stack.resize(first);
  return in;
}
BackwardInputs take_backward(Stack& stack) {
  const size_t first = stack.size() - 7 - kNumOptions;
  const auto tensor = [&](size_t i) { return stack[first + i].toTensor(); };
  BackwardInputs in{tensor(0),
                    tensor(1),
                    tensor(2),
                    tensor(3),
                    tensor(4),
                    tensor(5),
                    read_options(stack, first + 6),
                    stack.back().toBool()};
  stack.resize(first);
  return in;
}

void give(Stack& stack, const AttentionResult& r) {
  stack.emplace_back(r.out);
  stack.emplace_back(r.lse);
}
void give(Stack& stack, const AttentionGrads& g) {
  for (const auto& x : {g.q, g.k, g.v, g.bias}) stack.emplace_back(x);
}

using Op = const c10::OperatorHandle&;

AttentionCall checked_call(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const FlashArguments& options) {
  auto call = call_of(q, k, v, options);
  check(call);
  if (const auto why = flash_refusal(call); !why.empty())
    throw ConfigError("attention: the fused path cannot do this: " + why);
  return call;
}

void forward_kernel(Op, Stack* stack) {
  const auto in = take_forward(*stack);
  const auto call = checked_call(in.q, in.k, in.v, in.options);
  give(*stack, run_forward(call));
}

void backward_kernel(Op, Stack* stack) {
  const auto in = take_backward(*stack);
  const auto call = checked_call(in.q, in.k, in.v, in.options);
  const auto lse_sizes = call.is_packed() ? std::vector<int64_t>{in.q.size(1), in.q.size(0)}
                                          : std::vector<int64_t>{in.q.size(0), in.q.size(1), in.q.size(2)};
  if (in.grad_out.sizes() != in.q.sizes() || in.out.sizes() != in.q.sizes() || in.lse.sizes() != lse_sizes ||
      in.lse.scalar_type() != at::kFloat || in.out.scalar_type() != in.q.scalar_type() ||
      (in.bias_grad && !in.options.bias))
    throw ShapeError(fmt::format(
        "attention: backward: expected grad_out and out of q's shape [{}] and float32 lse [{}], got [{}], "
        "[{}] and [{}]",
        fmt::join(in.q.sizes(), ", "), fmt::join(lse_sizes, ", "), fmt::join(in.grad_out.sizes(), ", "),
        fmt::join(in.out.sizes(), ", "), fmt::join(in.lse.sizes(), ", ")));
  give(*stack, run_backward(call, in.grad_out, {in.out, in.lse}, in.bias_grad));
}

void forward_meta(Op, Stack* stack) { give(*stack, empty_result(take_forward(*stack).q)); }

void backward_meta(Op, Stack* stack) {
  const auto in = take_backward(*stack);
  give(*stack, empty_grads(in.q, in.k, in.v, in.bias_grad ? in.options.bias.value() : at::Tensor()));
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct FlashAttention : torch::autograd::Function<FlashAttention> {
  static variable_list forward(AutogradContext* context, const Variable& q, const Variable& k,
                               const Variable& v, const std::optional<Variable>& /*bias: also in options*/,
                               const FlashArguments& options) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, lse] = call_forward(q, k, v, options);
    context->save_for_backward({q, k, v, out, lse, options.bias.value_or(Variable())});
    FlashArguments others = options;
    others.bias.reset();
    Stack saved;
    write_options(saved, others);
    context->saved_data["options"] = c10::ivalue::Tuple::create(std::move(saved));
    context->mark_non_differentiable({lse});
    return {out, lse};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto& elements = context->saved_data["options"].toTupleRef().elements();
    BackwardInputs in{grads[0],
                      saved[0],
                      saved[1],
                      saved[2],
                      saved[3],
                      saved[4],
                      read_options(Stack(elements.begin(), elements.end()), 0),
                      saved[5].defined() && context->needs_input_grad(3)};
    if (saved[5].defined()) in.options.bias = saved[5];
    auto result = call_backward(in);
    if (!in.bias_grad) result[3] = Variable();
    result.emplace_back();
    return result;
  }
};

struct FlashAttentionBackward : torch::autograd::Function<FlashAttentionBackward> {
  static variable_list forward(AutogradContext*, const Variable& /*grad_out*/, const Variable& /*q*/,
                               const Variable& /*k*/, const Variable& /*v*/, const BackwardInputs& in) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return call_backward(in);
  }
  static variable_list backward(AutogradContext*, const variable_list&) {
    throw ConfigError(
        "attention: the fused path cannot be differentiated twice: set attention (or GEN_ATTENTION) to "
        "\"reference\"");
  }
};

void forward_autograd(Op, Stack* stack) {
  const auto in = take_forward(*stack);
  const auto out = FlashAttention::apply(in.q, in.k, in.v, in.options.bias, in.options);
  give(*stack, AttentionResult{out[0], out[1]});
}

void backward_autograd(Op, Stack* stack) {
  const auto in = take_backward(*stack);
  const auto g = FlashAttentionBackward::apply(in.grad_out, in.q, in.k, in.v, in);
  give(*stack, AttentionGrads{g[0], g[1], g[2], g[3]});
}

/// q, k and v in the dtype of autocast; the kernels accumulate in float32 in any case.
template <at::DeviceType kDevice>
void forward_autocast(Op, Stack* stack) {
  const auto in = take_forward(*stack);
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(
      kDevice == at::kCUDA ? c10::DispatchKey::AutocastCUDA : c10::DispatchKey::AutocastCPU);
  const auto dtype = at::autocast::get_autocast_dtype(kDevice);
  const auto cast = [&](const at::Tensor& x) { return at::autocast::cached_cast(dtype, x, kDevice); };
  give(*stack, call_forward(cast(in.q), cast(in.k), cast(in.v), in.options));
}

template <auto kFunction>
torch::CppFunction boxed() {
  return torch::CppFunction::makeFromBoxedFunction<kFunction>();
}

}  // namespace

TORCH_LIBRARY(gen, m) {
  const auto define = [&](const std::string& schema) { m.def(schema.c_str()); };
  define(std::string("flash_attention(Tensor q, Tensor k, Tensor v, *, ") + kOptions +
         ") -> (Tensor out, Tensor lse)");
  define(std::string("flash_attention_backward(Tensor grad_out, Tensor q, Tensor k, Tensor v, Tensor out, "
                     "Tensor lse, *, ") +
         kOptions + ", bool bias_grad=False) -> (Tensor, Tensor, Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(gen, CPU, m) {
  m.impl("flash_attention", boxed<&forward_kernel>());
  m.impl("flash_attention_backward", boxed<&backward_kernel>());
}
TORCH_LIBRARY_IMPL(gen, CUDA, m) {
  m.impl("flash_attention", boxed<&forward_kernel>());
  m.impl("flash_attention_backward", boxed<&backward_kernel>());
}
TORCH_LIBRARY_IMPL(gen, Meta, m) {
  m.impl("flash_attention", boxed<&forward_meta>());
  m.impl("flash_attention_backward", boxed<&backward_meta>());
}
TORCH_LIBRARY_IMPL(gen, Autograd, m) {
  m.impl("flash_attention", boxed<&forward_autograd>());
  m.impl("flash_attention_backward", boxed<&backward_autograd>());
}
TORCH_LIBRARY_IMPL(gen, AutocastCPU, m) { m.impl("flash_attention", boxed<&forward_autocast<at::kCPU>>()); }
TORCH_LIBRARY_IMPL(gen, AutocastCUDA, m) { m.impl("flash_attention", boxed<&forward_autocast<at::kCUDA>>()); }

std::string flash_refusal(const AttentionCall& c) {
  constexpr int64_t kMaxDim = 256;
  const int64_t dim = c.q.size(c.q.dim() - 1);
  const auto dtype = c.q.scalar_type();
  if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf)
    return fmt::format("expected float32, bfloat16 or float16, got {}", toString(dtype));
  if (dim < 1 || dim > kMaxDim) return fmt::format("expected a head size D in [1, {}], got {}", kMaxDim, dim);
  if (!c.q.is_cpu() && !c.q.is_cuda())
    return fmt::format("expected a CPU or CUDA tensor, got {}", c.q.device().str());
  if (c.q.is_cuda()) {
    static const std::string missing = [] {
      std::string why;
      return cuda_symbol(flash::kForwardSymbol, &why) == nullptr ? why : "";
    }();
    if (!missing.empty()) return "expected our CUDA kernels of attention, got: " + missing;
  }
  return "";
}

AttentionResult flash_attention(const AttentionCall& c) {
  return call_forward(c.q, c.k, c.v, flash_arguments(c));
}

}  // namespace gen::ops
