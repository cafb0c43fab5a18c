#include "models/flow/affine_coupling.h"

#include "gen/nn/row_wise.h"

namespace gen::flow {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The map and its log-determinant as one node: composed of single operations it would keep twice the memory
// and cost a dozen graph nodes for a few hundred numbers.
struct AffineMap : torch::autograd::Function<AffineMap> {
  // x [B, C, ...], parameters [B, 2C, ...] = (a, t), scale broadcasts over x. Returns z and log_det [B].
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& parameters,
                               const at::Tensor& scale) {
    const int64_t c = x.size(1);
    const auto tanh_a = at::tanh(parameters.narrow(1, 0, c));
    const auto s = tanh_a * scale;
    const auto log_det = row_wise::sum_of_each(s);
    const auto exp_s = at::exp(s);
    const auto z = at::addcmul(parameters.narrow(1, c, c), x, exp_s);
    context->save_for_backward({x, tanh_a, exp_s, scale});
    return {z, log_det};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &tanh_a = saved[1], &exp_s = saved[2], &scale = saved[3];
    const auto &grad_z = gradients[0], &grad_log_det = gradients[1];
    const auto grad_x = grad_z * exp_s;
    std::vector<int64_t> per_example(static_cast<size_t>(x.dim()), 1);
    per_example[0] = x.size(0);
    const auto grad_s =
        at::addcmul(grad_log_det.view(per_example), grad_x, x);  // dz/ds = x exp(s), dlog_det/ds = 1
    // Example by example, since LibTorch gives the sum to a single number to several threads.
    const auto grad_scale =
        (grad_s * tanh_a).sum_to_size(row_wise::one_for_each(scale, x).sizes()).sum_to_size(scale.sizes());
    const auto grad_a = grad_s * scale * (1 - tanh_a * tanh_a);
    return {grad_x, at::cat({grad_a, grad_z}, 1), grad_scale};
  }
};

}  // namespace

AffineCoupling::AffineCoupling(const CouplingOptions& options, const BijectorContext& context,
                               int64_t width_factor)
    : Coupling(options, context, /*parameters=*/2, width_factor) {
  Shape broadcast(context.shape.size(), 1);
  broadcast[0] = mask().changed_shape()[0];
  scale_ = register_parameter("scale", torch::ones(broadcast));
}

Mapped AffineCoupling::transform(const at::Tensor& changed, const at::Tensor& parameters) {
  auto outputs = AffineMap::apply(changed, parameters.to(changed.scalar_type()), scale_);
  return {outputs[0], outputs[1]};
}

Mapped AffineCoupling::inverse_transform(const at::Tensor& changed, const at::Tensor& parameters) {
  const auto halves = parameters.to(changed.scalar_type()).chunk(2, 1);  // a, t
  const auto s = at::tanh(halves[0]) * scale_;
  return {(changed - halves[1]) * at::exp(-s), -row_wise::sum_of_each(s)};
}

}  // namespace gen::flow
