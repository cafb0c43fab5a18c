#include "ops/attention/compare.h"

#include <ATen/autocast_mode.h>
#include <fmt/format.h>
#include <torch/torch.h>

#include "gen/core/error.h"
#include "gen/core/log.h"
#include "ops/attention/flash_op.h"
#include "ops/attention/reference.h"

namespace gen::ops {
namespace {

struct Compared {
  const char* name;
  at::Tensor fused, reference;
  double tolerance;  ///< allowed difference
};

double largest(const at::Tensor& x) { return x.numel() == 0 ? 0 : x.abs().max().item<double>(); }

/// Largest |a - b|, where equal infinities do not differ.
double difference(const at::Tensor& a, const at::Tensor& b) {
  const auto wide_a = a.to(at::kDouble), wide_b = b.to(at::kDouble);
  return largest(at::where(wide_a == wide_b, at::zeros_like(wide_a), wide_a - wide_b));
}

void compare(const char* what, const std::vector<Compared>& list) {
  std::string text, beyond;
  for (const auto& x : list) {
    const double error = difference(x.fused, x.reference);
    const auto one = fmt::format("{} {:.3g} (allowed {:.3g})", x.name, error, x.tolerance);
    text += (text.empty() ? "" : ", ") + one;
    if (!(error <= x.tolerance)) beyond += (beyond.empty() ? "" : ", ") + one;
  }
  log::info("attention: {} of fused differs from reference by at most {}", what, text);
  if (!beyond.empty())
    throw Error(
        fmt::format("attention: {} of fused differs from reference beyond rounding: {}", what, beyond));
}

/// Of results of about size 1 that are rounded once to this dtype.
double rounding(at::ScalarType dtype) {
  return dtype == at::kFloat ? 1e-5 : dtype == at::kHalf ? 2e-3 : 1.6e-2;
}

/// q, k, v and, where there is one, the bias.
std::vector<at::Tensor> inputs_of(const AttentionCall& c) {
  std::vector<at::Tensor> list{c.q, c.k, c.v};
  if (c.options.bias.defined()) list.push_back(c.options.bias);
  return list;
}

using Path = AttentionResult (*)(const AttentionCall&);
/// Gradients by those inputs that ask for them.
std::vector<at::Tensor> gradients(Path path, const AttentionCall& c, const std::vector<bool>& wanted,
                                  const at::Tensor& grad_out) {
  const at::AutoGradMode with_gradients(true);
  AttentionCall leaves = c;
  std::vector<at::Tensor> list;
  size_t i = 0;
  for (auto* x : {&leaves.q, &leaves.k, &leaves.v, &leaves.options.bias}) {
    if (!x->defined()) continue;
    *x = x->detach();
    if (wanted[i++]) list.push_back(x->requires_grad_());
  }
  return torch::autograd::grad({path(leaves).out}, list, {grad_out});
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct ComparedAttention : torch::autograd::Function<ComparedAttention> {
  static variable_list forward(AutogradContext* context, const Variable& /*q*/, const Variable& /*k*/,
                               const Variable& /*v*/, const std::optional<Variable>& /*bias*/,
                               const AttentionCall& call) {
    const at::NoGradGuard no_grad;
    const auto fused = flash_attention(call), reference = reference_attention(call);
    const double size = std::max(1.0, largest(reference.out.to(at::kDouble)));
    // Scores are of the order of ten: their rounding is that of the log-sum-exp.
    compare("the result", {{"out", fused.out, reference.out, rounding(call.q.scalar_type()) * size},
                           {"lse", fused.lse, reference.lse, 1e-4}});
    auto kept = inputs_of(call);
    context->save_for_backward(variable_list(kept.begin(), kept.end()));
    context->mark_non_differentiable({fused.lse});
    context->saved_data["call"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(call));
    return {fused.out, fused.lse};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const AttentionCall& call = static_cast<const Kept&>(*context->saved_data["call"].toCapsule()).call;
    const auto inputs = inputs_of(call);
    std::vector<bool> wanted;
    for (size_t i = 0; i < inputs.size(); ++i) wanted.push_back(context->needs_input_grad(i));
    const auto fused = gradients(flash_attention, call, wanted, grads[0]);
    const auto reference = gradients(reference_attention, call, wanted, grads[0]);
    double size = 0;
    for (const auto& g : reference) size = std::max(size, largest(g.to(at::kDouble)));
    constexpr const char* kNames[] = {"q", "k", "v", "bias"};
    std::vector<Compared> list;
    variable_list result(5);
    for (size_t i = 0, given = 0; i < inputs.size(); ++i) {
      if (!wanted[i]) continue;
      // What is summed over many rows is rounded more often.
      list.push_back(
          {kNames[i], fused[given], reference[given], 3 * rounding(inputs[i].scalar_type()) * size});
      result[i] = fused[given++];
    }
    compare("the gradient", list);
    return result;
  }

  struct Kept : torch::CustomClassHolder {
    explicit Kept(const AttentionCall& c) : call(c) {
      for (auto* x : {&call.q, &call.k, &call.v, &call.options.bias})
        if (x->defined()) *x = x->detach();
    }
    AttentionCall call;
  };
};

}  // namespace

AttentionResult compared_attention(const AttentionCall& c) {
  AttentionCall call = c;
  const auto device = c.q.device().type();
  if (at::autocast::is_autocast_enabled(device))  // both see what fused would
    for (auto* x : {&call.q, &call.k, &call.v})
      *x = at::autocast::cached_cast(at::autocast::get_autocast_dtype(device), *x, device);
  const c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::autocast_dispatch_keyset);
  const auto bias = call.options.bias.defined() ? std::optional(call.options.bias) : std::nullopt;
  const auto results = ComparedAttention::apply(call.q, call.k, call.v, bias, call);
  return {results[0], results[1]};
}

}  // namespace gen::ops
