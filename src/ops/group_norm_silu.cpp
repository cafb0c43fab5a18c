#include "gen/ops/group_norm_silu.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>

#include "gen/core/check.h"
#include "ops/group_norm_cpu.h"
#include "ops/group_norm_cuda.h"

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
  for (const auto* t : {&args.shift, &args.film_scale, &args.film_shift})
    if (fits && t->defined()) fits = t->sizes() == at::IntArrayRef({B, C});
  fits = fits && args.film_scale.defined() == args.film_shift.defined();
  if (!fits)
    throw ShapeError(fmt::format(
        "group_norm_silu: expected x [B, C - S, ...], skip [B, S, ...] or none, weight [C], bias [C], shift "
        "[B, C] or none, film_scale and film_shift [B, C] or none, and num_groups that divide C, got x {}, "
        "skip {}, "
        "weight {}, bias {}, shift {}, film_scale {}, film_shift {}, num_groups {}",
        shape(x), shape(args.skip), shape(args.weight), shape(args.bias), shape(args.shift),
        shape(args.film_scale), shape(args.film_shift), args.num_groups));
}

/// The definition, of torch's own operations: what other devices and dtypes get, and second derivatives.
at::Tensor composed(const at::Tensor& x, const GroupNormArgs& args) {
  auto h = args.skip.defined() ? at::cat({x, args.skip}, 1) : x;
  const auto of_channels = [&](const at::Tensor& t) {
    auto sizes = t.sizes().vec();
    sizes.resize(static_cast<size_t>(h.dim()), 1);
    return t.to(h.scalar_type()).view(sizes);
  };
  if (args.shift.defined()) h = h + of_channels(args.shift);
  h = at::group_norm(h, args.num_groups, args.weight.to(h.scalar_type()), args.bias.to(h.scalar_type()),
                     args.eps);
  if (args.film_scale.defined()) h = h * (1 + of_channels(args.film_scale)) + of_channels(args.film_shift);
  return args.silu ? at::silu(h) : h;
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::Tensor forward_fused(const at::Tensor& x, const GroupNormArgs& args,
                         cpu::GroupNormStatistics& statistics) {
  return x.is_cuda() ? cuda::group_norm_forward(x, args, statistics)
                     : cpu::group_norm_forward(x, args, statistics);
}

/// The tensors of a call in the order of GroupNormSilu::forward's arguments.
std::array<at::Tensor, 7> tensors_of(const at::Tensor& x, const GroupNormArgs& args) {
  return {x, args.weight, args.bias, args.skip, args.shift, args.film_scale, args.film_shift};
}

using MaybeVariable = std::optional<Variable>;

struct GroupNormSilu : torch::autograd::Function<GroupNormSilu> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          const Variable& bias, const MaybeVariable& skip, const MaybeVariable& shift,
                          const MaybeVariable& film_scale, const MaybeVariable& film_shift,
                          int64_t num_groups, double eps, bool silu) {
    const auto given = [](const MaybeVariable& t) { return t.value_or(Variable()); };
    const GroupNormArgs args{num_groups,        weight,           bias, eps, silu, given(skip), given(shift),
                             given(film_scale), given(film_shift)};
    cpu::GroupNormStatistics statistics;
    auto y = forward_fused(x, args, statistics);
    const auto inputs = tensors_of(x, args);
    variable_list saved(inputs.begin(), inputs.end());
    saved.insert(saved.end(), {statistics.mean, statistics.rstd, statistics.channel_mean});
    context->save_for_backward(saved);
    context->saved_data["num_groups"] = num_groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const GroupNormArgs args{context->saved_data["num_groups"].toInt(),
                             saved[1],
                             saved[2],
                             context->saved_data["eps"].toDouble(),
                             context->saved_data["silu"].toBool(),
                             saved[3],
                             saved[4],
                             saved[5],
                             saved[6]};
    if (at::GradMode::is_enabled()) return differentiable_backward(saved, args, grads[0]);
    const cpu::GroupNormStatistics statistics{saved[7], saved[8], saved[9]};
    const auto g = saved[0].is_cuda() ? cuda::group_norm_backward(grads[0], saved[0], args, statistics)
                                      : cpu::group_norm_backward(grads[0], saved[0], args, statistics);
    variable_list result{g.x, g.weight, g.bias, g.skip, g.shift, g.film_scale, g.film_shift, {}, {}, {}};
    for (size_t i = 0; i < kTensors; ++i)
      if (result[i].defined()) result[i] = result[i].to(saved[i].scalar_type());
    return result;
  }

 private:
  static constexpr size_t kTensors = 7, kInputs = 10;

  /// Where the gradient is to be differentiated in turn.
  static variable_list differentiable_backward(const variable_list& saved, const GroupNormArgs& args,
                                               const Variable& grad) {
    variable_list result(kInputs), inputs;
    std::vector<size_t> slots;
    const auto y = composed(saved[0], args);
    for (size_t i = 0; i < kTensors; ++i)
      if (saved[i].defined() && saved[i].requires_grad()) {
        inputs.push_back(saved[i]);
        slots.push_back(i);
      }
    const auto found =
        torch::autograd::grad({y}, inputs, {grad}, /*retain_graph=*/true, /*create_graph=*/true);
    for (size_t i = 0; i < slots.size(); ++i) result[slots[i]] = found[i];
    return result;
  }
};

// Autograd takes an absent input as an empty optional, not as an undefined tensor.
MaybeVariable present(const at::Tensor& t) { return t.defined() ? MaybeVariable(t) : std::nullopt; }

}  // namespace

at::Tensor group_norm_silu(const at::Tensor& x, const GroupNormArgs& args) {
  check(x, args);
  if (!cpu::group_norm_supported(x, args) && !cuda::group_norm_supported(x, args)) return composed(x, args);
  const auto inputs = tensors_of(x, args);
  if (at::GradMode::is_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const auto& t) {
        return t.defined() && t.requires_grad();
      }))
    return GroupNormSilu::apply(x, args.weight, args.bias, present(args.skip), present(args.shift),
                                present(args.film_scale), present(args.film_shift), args.num_groups, args.eps,
                                args.silu);
  cpu::GroupNormStatistics statistics;
  return forward_fused(x, args, statistics);
}

at::Tensor group_norm_silu(const at::Tensor& x, int64_t num_groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps, bool silu) {
  return group_norm_silu(x, {num_groups, weight, bias, eps, silu, {}, {}});
}

}  // namespace gen::ops
