#include "models/flow/actnorm.h"

namespace gen::flow {

ActNorm::ActNorm(const BijectorContext& context)
    : loc_(register_parameter("loc", torch::zeros({context.shape[0]}))),
      log_scale_(register_parameter("log_scale", torch::zeros({context.shape[0]}))),
      initialized_(register_buffer("initialized", torch::zeros({1}, at::kBool))) {}

at::Tensor ActNorm::log_det(const at::Tensor& x) const {
  const int64_t positions = x.dim() == 2 ? 1 : x.size(2) * x.size(3);
  return log_scale_.sum() * positions;
}

Mapped ActNorm::forward(const at::Tensor& x, const Condition&) {
  auto z = (x + over_channels(loc_, x)) * over_channels(log_scale_.exp(), x);
  return {z, per_example(log_det(x), x)};
}

Mapped ActNorm::inverse(const at::Tensor& z, const Condition&) {
  auto x = z * over_channels((-log_scale_).exp(), z) - over_channels(loc_, z);
  return {x, per_example(-log_det(z), z)};
}

void ActNorm::initialize(const at::Tensor& x, const Condition&) {
  if (initialized_.item<bool>()) return;
  torch::NoGradGuard no_grad;
  const auto [mean, var] = channel_moments(x);
  constexpr double kEpsilon = 1e-6;  // a constant channel keeps a finite scale
  loc_.copy_(-mean);
  log_scale_.copy_(-(var.sqrt() + kEpsilon).log());
  initialized_.fill_(true);
}

}  // namespace gen::flow
