#include "models/flow/scaling.h"

namespace gen::flow {

Scaling::Scaling(const BijectorContext& context)
    : log_scale_(register_parameter("log_scale", torch::zeros(context.shape))) {}

Mapped Scaling::forward(const at::Tensor& x, const Condition&) {
  return {x * log_scale_.exp(), per_example(log_scale_.sum(), x)};
}

Mapped Scaling::inverse(const at::Tensor& z, const Condition&) {
  return {z * (-log_scale_).exp(), per_example(-log_scale_.sum(), z)};
}

void Scaling::initialize(const at::Tensor& x, const Condition&) {
  torch::NoGradGuard no_grad;
  constexpr double kEpsilon = 1e-6;  // an element that is the same in the whole batch keeps a finite scale
  log_scale_.copy_(-(x.std(0, /*unbiased=*/false) + kEpsilon).log());
}

}  // namespace gen::flow
