#include "gen/ops/layer_norm.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>

#include "gen/core/check.h"
#include "ops/layer_norm_fused.h"

namespace gen::ops {

RowNormInputs::RowNormInputs(const at::Tensor& x_, const NormArgs& args, bool center_)
    : x(x_.detach().contiguous()), eps(args.eps), center(center_) {
  const auto as_float = [](const at::Tensor& t) { return t.detach().to(at::kFloat).contiguous(); };
  if (args.residual.defined()) residual = args.residual.detach().contiguous();
  weight = args.weight.defined() ? as_float(args.weight) : at::ones({width()}, x.options().dtype(at::kFloat));
  if (args.bias.defined()) bias = as_float(args.bias);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;
using Optional = std::optional<Variable>;

void check_norm(const at::Tensor& x, const NormArgs& args, const char* name) {
  const auto text = [](const at::Tensor& t) {
    return t.defined() ? fmt::format("[{}]", fmt::join(t.sizes(), ", ")) : std::string("none");
  };
  const auto vector = [&](const at::Tensor& t) {
    return !t.defined() || t.sizes() == x.sizes().slice(x.dim() - 1);
  };
  if (x.dim() < 1 || !vector(args.weight) || !vector(args.bias) ||
      (args.residual.defined() && args.residual.sizes() != x.sizes()))
    throw ShapeError(
        fmt::format("{}: expected x [..., D], weight [D] or none, bias [D] or none, residual like x or none, "
                    "got x {}, weight {}, "
                    "bias {}, residual {}",
                    name, text(x), text(args.weight), text(args.bias), text(args.residual)));
}

/// The definition, of torch's own operations: what other devices and dtypes get, and second derivatives.
Normed composed_norm(const at::Tensor& x, const NormArgs& args, bool center) {
  const auto s = args.residual.defined() ? x + args.residual : x;
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto h = s.to(wide);
  if (center) h = h - h.mean(-1, true);
  h = h * at::rsqrt(h.square().mean(-1, true) + args.eps);
  if (args.weight.defined()) h = h * args.weight.to(wide);
  if (args.bias.defined()) h = h + args.bias.to(wide);
  return {h.to(x.scalar_type()), s};
}

struct RowNorm : torch::autograd::Function<RowNorm> {
  /// y, and with a residual the sum.
  static variable_list forward(AutogradContext* context, const Variable& x, const Optional& residual,
                               const Optional& weight, const Optional& bias, double eps, bool center) {
    const NormArgs args{weight.value_or(Variable()), bias.value_or(Variable()), eps,
                        residual.value_or(Variable())};
    const RowNormInputs inputs(x, args, center);
    const auto out = x.is_cuda() ? cuda::row_norm_forward(inputs) : cpu::row_norm_forward(inputs);
    context->save_for_backward({x, args.residual, args.weight, args.bias,
                                args.residual.defined() ? out.sum : Variable(), out.mean, out.rstd});
    context->saved_data["eps"] = eps;
    context->saved_data["center"] = center;
    context->set_materialize_grads(false);
    return args.residual.defined() ? variable_list{out.y, out.sum} : variable_list{out.y};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const NormArgs args{saved[2], saved[3], context->saved_data["eps"].toDouble(), saved[1]};
    const bool center = context->saved_data["center"].toBool();
    if (at::GradMode::is_enabled()) return differentiable_backward(saved, args, center, grads);
    const RowNormInputs inputs(saved[0], args, center);
    const RowNormOutputs outputs{{}, args.residual.defined() ? saved[4] : inputs.x, saved[5], saved[6]};
    const auto dsum = grads.size() > 1 && grads[1].defined() ? grads[1].contiguous() : Variable();
    const auto dy = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(inputs.x);
    const auto g = inputs.x.is_cuda() ? cuda::row_norm_backward(inputs, outputs, dy, dsum)
                                      : cpu::row_norm_backward(inputs, outputs, dy, dsum);
    variable_list result(kInputs);
    result[0] = g.x;
    if (args.residual.defined()) result[1] = g.x;
    if (args.weight.defined()) result[2] = g.weight.to(args.weight.scalar_type());
    if (args.bias.defined()) result[3] = g.bias.to(args.bias.scalar_type());
    return result;
  }

 private:
  static constexpr size_t kTensors = 4, kInputs = 6;

  /// Where the gradient is to be differentiated in turn.
  static variable_list differentiable_backward(const variable_list& saved, const NormArgs& args, bool center,
                                               const variable_list& grads) {
    const Normed normed = composed_norm(saved[0], args, center);
    variable_list outputs, upstream, inputs, result(kInputs);
    std::vector<size_t> slots;
    for (size_t i = 0; i < grads.size(); ++i)
      if (grads[i].defined()) {
        outputs.push_back(i == 0 ? normed.y : normed.sum);
        upstream.push_back(grads[i]);
      }
    for (size_t i = 0; i < kTensors; ++i)
      if (saved[i].defined() && saved[i].requires_grad()) {
        inputs.push_back(saved[i]);
        slots.push_back(i);
      }
    const auto found =
        torch::autograd::grad(outputs, inputs, upstream, /*retain_graph=*/true, /*create_graph=*/true,
                              /*allow_unused=*/true);
    for (size_t i = 0; i < slots.size(); ++i) result[slots[i]] = found[i];
    return result;
  }
};

Normed row_norm(const at::Tensor& x, const NormArgs& args, bool center, const char* name) {
  check_norm(x, args, name);
  if (!cpu::row_norm_supported(x, args) && !cuda::row_norm_supported(x, args))
    return composed_norm(x, args, center);
  const auto wants = [](const at::Tensor& t) { return t.defined() && t.requires_grad(); };
  if (at::GradMode::is_enabled() &&
      (wants(x) || wants(args.residual) || wants(args.weight) || wants(args.bias))) {
    const auto given = [](const at::Tensor& t) { return t.defined() ? Optional(t) : std::nullopt; };
    const auto out =
        RowNorm::apply(x, given(args.residual), given(args.weight), given(args.bias), args.eps, center);
    return {out[0], args.residual.defined() ? out[1] : x};
  }
  const RowNormInputs inputs(x, args, center);
  const auto out = x.is_cuda() ? cuda::row_norm_forward(inputs) : cpu::row_norm_forward(inputs);
  return {out.y, args.residual.defined() ? out.sum : x};
}

}  // namespace

Normed layer_norm(const at::Tensor& x, const NormArgs& args) {
  return row_norm(x, args, /*center=*/true, "layer_norm");
}
Normed rms_norm(const at::Tensor& x, const NormArgs& args) {
  return row_norm(x, args, /*center=*/false, "rms_norm");
}

}  // namespace gen::ops
