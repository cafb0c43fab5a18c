#include "gen/ops/relu_mlp.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include "gen/core/check.h"

namespace gen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_shapes(const at::Tensor& x, at::TensorList weights, at::TensorList biases) {
  GEN_CHECK(!weights.empty() && weights.size() == biases.size(), "{} weights but {} biases", weights.size(),
            biases.size());
  if (x.dim() != 2) throw ShapeError(fmt::format("relu_mlp: x must be [B, in], got {}", x.sizes()));
  int64_t width = x.size(1);
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto& w = weights[i];
    if (w.dim() != 2 || w.size(1) != width || biases[i].dim() != 1 || biases[i].size(0) != w.size(0))
      throw ShapeError(
          fmt::format("relu_mlp: layer {} takes {} features but its weight is {} and its bias {}", i, width,
                      w.sizes(), biases[i].sizes()));
    width = w.size(0);
  }
}

at::Tensor composed(const at::Tensor& x, at::TensorList weights, at::TensorList biases) {
  auto h = x;
  for (size_t i = 0; i < weights.size(); ++i) {
    h = at::linear(h, weights[i], biases[i]);
    if (i + 1 < weights.size()) h = at::relu(h);
  }
  return h;
}

// Inputs are x, then each layer's weight and bias; what is saved is x, the hidden activations and the
// weights.
struct ReluMlp : torch::autograd::Function<ReluMlp> {
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs) {
    const size_t layers = (inputs.size() - 1) / 2;
    variable_list saved;
    auto h = inputs[0];
    for (size_t i = 0; i < layers; ++i) {
      saved.push_back(h);
      h = at::addmm(inputs[2 * i + 2], h, inputs[2 * i + 1].t());
      if (i + 1 < layers) h.relu_();
    }
    for (size_t i = 0; i < layers; ++i) saved.push_back(inputs[2 * i + 1]);
    context->save_for_backward(saved);
    return h;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const auto saved = context->get_saved_variables();
    const size_t layers = saved.size() / 2;
    variable_list gradients(2 * layers + 1);
    auto g = output_gradients[0];
    for (size_t i = layers; i-- > 0;) {
      const auto& input = saved[i];
      gradients[2 * i + 1] = g.t().mm(input);
      gradients[2 * i + 2] = g.sum(0);
      if (i == 0 && !context->needs_input_grad(0)) break;
      g = g.mm(saved[layers + i]);
      if (i > 0)
        at::threshold_backward_out(g, g, input, 0);  // input = relu(.): positive where the ReLU passed
    }
    if (context->needs_input_grad(0)) gradients[0] = g;
    return gradients;
  }
};

}  // namespace

at::Tensor relu_mlp(const at::Tensor& x, at::TensorList weights, at::TensorList biases) {
  check_shapes(x, weights, biases);
  if (at::autocast::is_autocast_enabled(x.device().type())) return composed(x, weights, biases);
  variable_list inputs{x};
  inputs.reserve(2 * weights.size() + 1);
  for (size_t i = 0; i < weights.size(); ++i) {
    inputs.push_back(weights[i]);
    inputs.push_back(biases[i]);
  }
  return ReluMlp::apply(at::TensorList(inputs));
}

}  // namespace gen
