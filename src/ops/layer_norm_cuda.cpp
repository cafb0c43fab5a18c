#include <ATen/Functions.h>

#include "ops/cuda_launch.h"
#include "ops/layer_norm_fused.h"

namespace gen::ops::cuda {
namespace {

fused::RowNormProblem problem_of(const RowNormInputs& in, const RowNormOutputs& out) {
  fused::RowNormProblem p;
  p.rows = in.rows();
  p.width = in.width();
  p.center = in.center;
  p.dtype = *dtype_of(in.x.scalar_type());
  p.eps = static_cast<float>(in.eps);
  p.weight = pointer<float>(in.weight);
  p.bias = pointer<float>(in.bias);
  p.mean = pointer<float>(out.mean);
  p.rstd = pointer<float>(out.rstd);
  return p;
}

}  // namespace

bool row_norm_supported(const at::Tensor& x, const NormArgs& args) {
  return x.is_cuda() && x.numel() > 0 && dtype_of(x.scalar_type()) &&
         (!args.residual.defined() || args.residual.scalar_type() == x.scalar_type()) &&
         cuda_symbol(fused::kRowNormForwardSymbol) != nullptr;
}

RowNormOutputs row_norm_forward(const RowNormInputs& in, fused::RowNormLauncher launch_on) {
  const auto statistics = in.x.options().dtype(at::kFloat);
  const RowNormOutputs out{at::empty_like(in.x), in.residual.defined() ? at::empty_like(in.x) : in.x,
                           at::empty({in.rows()}, statistics), at::empty({in.rows()}, statistics)};
  auto p = problem_of(in, out);
  p.x = pointer<void>(in.x);
  p.residual = pointer<void>(in.residual);
  p.sum = in.residual.defined() ? pointer<void>(out.sum) : nullptr;
  p.y = pointer<void>(out.y);
  launch(launch_on ? launch_on : launcher<fused::RowNormLauncher>(fused::kRowNormForwardSymbol), p,
         "a row norm");
  return out;
}

RowNormGrads row_norm_backward(const RowNormInputs& in, const RowNormOutputs& out, const at::Tensor& dy,
                               const at::Tensor& dsum, fused::RowNormLauncher launch_on) {
  const RowNormGrads grads{at::empty_like(in.x), at::empty_like(in.weight), at::empty_like(in.weight)};
  auto p = problem_of(in, out);
  p.slices = fused::row_norm_slices(p.rows, p.width);
  const auto partial = at::empty({p.slices, 2, p.width}, in.weight.options());
  p.x = pointer<void>(out.sum);
  p.dy = pointer<void>(dy);
  p.dsum = pointer<void>(dsum);
  p.dx = pointer<void>(grads.x);
  p.dweight = pointer<float>(grads.weight);
  p.dbias = pointer<float>(grads.bias);
  p.partial = pointer<float>(partial);
  launch(launch_on ? launch_on : launcher<fused::RowNormLauncher>(fused::kRowNormBackwardSymbol), p,
         "a row norm's gradient");
  return grads;
}

}  // namespace gen::ops::cuda
