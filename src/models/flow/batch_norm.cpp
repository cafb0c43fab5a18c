#include "models/flow/batch_norm.h"

#include "gen/config/options.h"

namespace gen::flow {
namespace {

struct Moments {
  at::Tensor mean, var;  // [C]; var is biased, as the map divides by it
};

Moments moments(const at::Tensor& x) {
  const auto [mean, var] = channel_moments(x);
  return {mean, var};
}

// -1/2 sum log(v + epsilon) over all elements of one example.
at::Tensor log_det(const at::Tensor& var_eps, const at::Tensor& x) {
  const int64_t positions = x.dim() == 2 ? 1 : x.size(2) * x.size(3);
  return var_eps.log().sum() * (-0.5 * static_cast<double>(positions));
}

}  // namespace

void BatchNormBijectorOptions::visit(OptionVisitor& v) {
  v.field("momentum", momentum, "weight of a batch in the running statistics", {.min = 0, .max = 1});
  v.field("epsilon", epsilon, "added to the variance", {.min = 0, .exclusive_min = true});
}

BatchNormBijector::BatchNormBijector(const BatchNormBijectorOptions& options, const BijectorContext& context)
    : options_(options),
      running_mean_(register_buffer("running_mean", torch::zeros({context.shape[0]}))),
      running_var_(register_buffer("running_var", torch::ones({context.shape[0]}))) {}

Mapped BatchNormBijector::forward(const at::Tensor& x, const Condition&) {
  Moments m{running_mean_, running_var_};
  if (is_training()) {
    m = moments(x);
    torch::NoGradGuard no_grad;
    const double momentum = momentum_.value_or(options_.momentum);
    // What is no number would stay for ever, also where train.nan_policy leaves the step out.
    const auto finite = m.mean.isfinite().logical_and(m.var.isfinite()).all();
    running_mean_.lerp_(at::where(finite, m.mean.detach(), running_mean_), momentum);
    running_var_.lerp_(at::where(finite, m.var.detach(), running_var_), momentum);
  }
  const auto var_eps = m.var + options_.epsilon;
  auto z = (x - over_channels(m.mean, x)) * over_channels(var_eps.rsqrt(), x);
  return {z, per_example(log_det(var_eps, x), x)};
}

Mapped BatchNormBijector::inverse(const at::Tensor& z, const Condition&) {
  const auto var_eps = running_var_ + options_.epsilon;
  auto x = z * over_channels(var_eps.sqrt(), z) + over_channels(running_mean_, z);
  return {x, per_example(-log_det(var_eps, z), z)};
}

void BatchNormBijector::initialize(const at::Tensor& x, const Condition&) {
  torch::NoGradGuard no_grad;
  const auto m = moments(x);
  running_mean_.copy_(m.mean);
  running_var_.copy_(m.var);
}

}  // namespace gen::flow
