#include "ops/group_norm_cuda.h"

#include "ops/cuda_launch.h"
#include "ops/group_norm_layout.h"

namespace gen::ops::cuda {
namespace {

/// The problem's fixed part and the memory that belongs to no result.
struct Call {
  cpu::Inputs inputs;
  at::Tensor sums, table;
  fused::GroupNormProblem problem;

  Call(const at::Tensor& x, const GroupNormArgs& args) : inputs(x.detach(), args) {
    const cpu::Layout& l = inputs.l;
    auto& p = problem;
    p.batch = l.batch;
    p.channels = l.channels;
    p.first = l.first;
    p.pixels = l.pixels;
    p.groups = l.groups;
    p.channels_last = l.channels_last;
    p.silu = args.silu;
    p.dtype = *dtype_of(x.scalar_type());
    p.eps = static_cast<float>(args.eps);
    p.x = pointer<void>(inputs.x);
    p.skip = pointer<void>(inputs.skip);
    p.weight = pointer<float>(inputs.weight);
    p.bias = pointer<float>(inputs.bias);
    p.shift = pointer<float>(inputs.shift);
    p.film_scale = pointer<float>(inputs.film_scale);
    p.film_shift = pointer<float>(inputs.film_shift);
    p.slices = fused::group_norm_slices(p);
    sums = empty({l.batch, p.slices, l.channels, 2});
    table = empty({5, l.batch, l.channels});
    p.sums = pointer<float>(sums);
    p.table = pointer<float>(table);
  }

  at::Tensor empty(at::IntArrayRef sizes) const {
    return at::empty(sizes, inputs.x.options().dtype(at::kFloat));
  }
  void set(const cpu::GroupNormStatistics& statistics) {
    problem.mean = pointer<float>(statistics.mean);
    problem.rstd = pointer<float>(statistics.rstd);
    problem.channel_mean = pointer<float>(statistics.channel_mean);
  }
};

}  // namespace

bool group_norm_supported(const at::Tensor& x, const GroupNormArgs& args) {
  return x.is_cuda() && x.numel() > 0 && dtype_of(x.scalar_type()) &&
         (!args.skip.defined() || args.skip.scalar_type() == x.scalar_type()) &&
         cuda_symbol(fused::kGroupNormForwardSymbol) != nullptr;
}

at::Tensor group_norm_forward(const at::Tensor& x, const GroupNormArgs& args,
                              cpu::GroupNormStatistics& statistics, fused::GroupNormLauncher launch_on) {
  Call call(x, args);
  const cpu::Layout& l = call.inputs.l;
  auto sizes = x.sizes().vec();
  sizes[1] = l.channels;
  const auto y = at::empty(sizes, x.options(), l.format());
  statistics = {call.empty({l.batch, l.groups}), call.empty({l.batch, l.groups}),
                call.empty({l.batch, l.channels})};
  call.set(statistics);
  call.problem.y = pointer<void>(y);
  launch(launch_on ? launch_on : launcher<fused::GroupNormLauncher>(fused::kGroupNormForwardSymbol),
         call.problem, "group_norm_silu");
  return y;
}

cpu::GroupNormGrads group_norm_backward(const at::Tensor& grad, const at::Tensor& x,
                                        const GroupNormArgs& args, const cpu::GroupNormStatistics& statistics,
                                        fused::GroupNormLauncher launch_on) {
  Call call(x, args);
  const cpu::Layout& l = call.inputs.l;
  auto& p = call.problem;
  call.set(statistics);
  const auto dy = grad.to(x.scalar_type()).contiguous(l.format());
  cpu::GroupNormGrads grads;
  grads.x = at::empty(call.inputs.x.sizes(), x.options(), l.format());
  if (args.skip.defined()) grads.skip = at::empty(args.skip.sizes(), x.options(), l.format());
  grads.weight = call.empty({l.channels});
  grads.bias = call.empty({l.channels});
  if (args.shift.defined()) grads.shift = call.empty({l.batch, l.channels});
  if (args.film_scale.defined()) {
    grads.film_scale = call.empty({l.batch, l.channels});
    grads.film_shift = call.empty({l.batch, l.channels});
  }
  p.dy = pointer<void>(dy);
  p.dx = pointer<void>(grads.x);
  p.dskip = pointer<void>(grads.skip);
  p.dweight = pointer<float>(grads.weight);
  p.dbias = pointer<float>(grads.bias);
  p.dshift = pointer<float>(grads.shift);
  p.dfilm_scale = pointer<float>(grads.film_scale);
  p.dfilm_shift = pointer<float>(grads.film_shift);
  launch(launch_on ? launch_on : launcher<fused::GroupNormLauncher>(fused::kGroupNormBackwardSymbol), p,
         "group_norm_silu's gradient");
  return grads;
}

}  // namespace gen::ops::cuda
