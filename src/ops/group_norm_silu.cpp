#include "gen/ops/group_norm_silu.h"

#include <torch/torch.h>

#include "gen/core/check.h"
#include "ops/group_norm_cpu.h"

namespace gen::ops {
namespace {

std::string shape(const at::Tensor& tensor) {
  return tensor.defined() ? fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")) : "none";
}

void check(const at::Tensor& x, const GroupNormArgs& args) {
  const int64_t B = x.dim() < 2 ? 0 : x.size(0);
  const int64_t S = args.skip.defined() && args.skip.dim() == x.dim() ? args.skip.size(1) : 0;
  const int64_t C = x.dim() < 2 ? 0 : x.size(1) + S;
  const auto vector = [&](const at::Tensor& t) { return t.defined() && t.dim() == 1 && t.size(0) == C; };
  bool fits = x.dim() >= 2 && args.num_groups >= 1 && C % args.num_groups == 0 && vector(args.weight) &&
              vector(args.bias);
  if (fits && args.skip.defined())
    fits = args.skip.dim() == x.dim() && args.skip.size(0) == B &&
           args.skip.sizes().slice(2) == x.sizes().slice(2);
  if (fits && args.shift.defined()) fits = args.shift.sizes() == at::IntArrayRef({B, C});
  if (!fits)
    throw ShapeError(fmt::format(
        "group_norm_silu: expected x [B, C - S, ...], skip [B, S, ...] or none, weight [C], bias [C], shift "
        "[B, C] or none "
        "and num_groups that divide C, got x {}, skip {}, weight {}, bias {}, shift {}, num_groups {}",
        shape(x), shape(args.skip), shape(args.weight), shape(args.bias), shape(args.shift),
        args.num_groups));
}

/// The definition, of torch's own operations: what other devices and dtypes get, and second derivatives.
at::Tensor composed(const at::Tensor& x, const GroupNormArgs& args) {
  auto h = args.skip.defined() ? at::cat({x, args.skip}, 1) : x;
  if (args.shift.defined()) {
    auto sizes = args.shift.sizes().vec();
    sizes.resize(static_cast<size_t>(h.dim()), 1);
    h = h + args.shift.to(h.scalar_type()).view(sizes);
  }
  h = at::group_norm(h, args.num_groups, args.weight.to(h.scalar_type()), args.bias.to(h.scalar_type()),
                     args.eps);
  return args.silu ? at::silu(h) : h;
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct GroupNormSilu : torch::autograd::Function<GroupNormSilu> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          const Variable& bias, const std::optional<Variable>& maybe_skip,
                          const std::optional<Variable>& maybe_shift, int64_t num_groups, double eps,
                          bool silu) {
    const Variable skip = maybe_skip.value_or(Variable()), shift = maybe_shift.value_or(Variable());
    cpu::GroupNormStatistics statistics;
    auto y = cpu::group_norm_forward(x, {num_groups, weight, bias, eps, silu, skip, shift}, statistics);
    context->save_for_backward(
        {x, weight, bias, skip, shift, statistics.mean, statistics.rstd, statistics.channel_mean});
    context->saved_data["num_groups"] = num_groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const GroupNormArgs args{
        context->saved_data["num_groups"].toInt(), saved[1], saved[2], context->saved_data["eps"].toDouble(),
        context->saved_data["silu"].toBool(),      saved[3], saved[4]};
    variable_list result(8);
    if (at::GradMode::is_enabled()) {  // the gradient is to be differentiated in turn
      const auto y = composed(saved[0], args);
      variable_list inputs;
      std::vector<size_t> slots;
      for (size_t i = 0; i < 5; ++i)
        if (saved[i].defined() && saved[i].requires_grad()) {
          inputs.push_back(saved[i]);
          slots.push_back(i);
        }
      const auto found =
          torch::autograd::grad({y}, inputs, {grads[0]}, /*retain_graph=*/true, /*create_graph=*/true);
      for (size_t i = 0; i < slots.size(); ++i) result[slots[i]] = found[i];
      return result;
    }
    const auto g = cpu::group_norm_backward(grads[0], saved[0], args,
                                            {.mean = saved[5], .rstd = saved[6], .channel_mean = saved[7]});
    result[0] = g.x;
    result[1] = g.weight.to(args.weight.scalar_type());
    result[2] = g.bias.to(args.bias.scalar_type());
    result[3] = g.skip;
    if (g.shift.defined()) result[4] = g.shift.to(args.shift.scalar_type());
    return result;
  }
};

// Autograd takes an absent input as an empty optional, not as an undefined tensor.
std::optional<at::Tensor> present(const at::Tensor& t) {
  return t.defined() ? std::optional<at::Tensor>(t) : std::nullopt;
}

}  // namespace

at::Tensor group_norm_silu(const at::Tensor& x, const GroupNormArgs& args) {
  check(x, args);
  if (!cpu::group_norm_supported(x, args)) return composed(x, args);
  const auto wants_grad = [](const at::Tensor& t) { return t.defined() && t.requires_grad(); };
  if (at::GradMode::is_enabled() && (wants_grad(x) || wants_grad(args.weight) || wants_grad(args.bias) ||
                                     wants_grad(args.skip) || wants_grad(args.shift)))
    return GroupNormSilu::apply(x, args.weight, args.bias, present(args.skip), present(args.shift),
                                args.num_groups, args.eps, args.silu);
  cpu::GroupNormStatistics statistics;
  return cpu::group_norm_forward(x, args, statistics);
}

at::Tensor group_norm_silu(const at::Tensor& x, int64_t num_groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, bool silu) {
  return group_norm_silu(x, {num_groups, weight, bias, eps, silu, {}, {}});
}

}  // namespace gen::ops
