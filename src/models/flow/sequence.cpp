#include "models/flow/sequence.h"

namespace gen::flow {

void Sequence::add(std::shared_ptr<Bijector> bijector) {
  context_.shape = bijector->output_shape(context_.shape);
  bijectors_.push_back(register_module(std::to_string(bijectors_.size()), std::move(bijector)));
}

Mapped Sequence::forward(const at::Tensor& x, const Condition& condition) {
  Mapped total{x, {}};
  for (const auto& bijector : bijectors_) {
    auto [y, log_det] = bijector->forward(total.y, condition);
    total = {y, total.log_det.defined() ? total.log_det + log_det : log_det};
  }
  if (!total.log_det.defined()) total.log_det = at::zeros({x.size(0)}, x.options());
  return total;
}

Mapped Sequence::inverse(const at::Tensor& z, const Condition& condition) {
  Mapped total{z, at::zeros({z.size(0)}, z.options())};
  for (auto it = bijectors_.rbegin(); it != bijectors_.rend(); ++it) {
    auto [y, log_det] = (*it)->inverse(total.y, condition);
    total = {y, total.log_det + log_det};
  }
  return total;
}

void Sequence::initialize(const at::Tensor& x, const Condition& condition) {
  torch::NoGradGuard no_grad;
  auto h = x;
  for (const auto& bijector : bijectors_) {
    bijector->initialize(h, condition);
    h = bijector->forward(h, condition).y;
  }
}

Shape Sequence::output_shape(const Shape& shape) const {
  Shape out = shape;
  for (const auto& bijector : bijectors_) out = bijector->output_shape(out);
  return out;
}

}  // namespace gen::flow
