#include "nn/convolution.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/torch.h>

#include <algorithm>
#include <bit>

#include "gen/core/parallel.h"

namespace gen::row_wise {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Parts of a batch [B, C, H, W]: enough for many threads, few enough that adding their gradients costs nothing.
int64_t num_parts(const at::Tensor& x, const at::Tensor& y) {
  constexpr int64_t kMost = 8, kMinPositions = 2048;  // pixels that a part sums over
  const int64_t positions = std::max(x.numel() / x.size(1), y.numel() / y.size(1));
  const auto wanted = static_cast<uint64_t>(std::clamp<int64_t>(positions / kMinPositions, 1, kMost));
  return std::min(x.size(0), static_cast<int64_t>(std::bit_floor(wanted)));
}

at::Tensor added_up(const variable_list& parts) {
  if (!parts.front().defined()) return {};
  const at::Tensor sum = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) sum.add_(parts[i]);
  return sum;
}

struct Convolution : torch::autograd::Function<Convolution> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const ConvolutionShape& s) {
    context->saved_data["stride"] = s.stride;
    context->saved_data["padding"] = s.padding;
    context->saved_data["transposed"] = s.transposed;
    context->saved_data["output_padding"] = s.output_padding;
    context->saved_data["has_bias"] = bias.defined();
    context->save_for_backward({x, weight});
    return at::convolution(x, weight, bias, {s.stride, s.stride}, {s.padding, s.padding}, {1, 1},
                           s.transposed, s.output_padding, /*groups=*/1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &dy = gradients[0];
    const int64_t stride = context->saved_data["stride"].toInt(),
                  padding = context->saved_data["padding"].toInt();
    const auto output_padding = context->saved_data["output_padding"].toIntVector();
    const bool transposed = context->saved_data["transposed"].toBool();
    const auto gradients_of = [&](const at::Tensor& g, const at::Tensor& in, std::array<bool, 3> wanted) {
      return at::convolution_backward(g, in, weight, at::IntArrayRef{dy.size(1)}, {stride, stride},
                                      {padding, padding}, {1, 1}, transposed, output_padding,
                                      /*groups=*/1, wanted);
    };
    at::Tensor dx;
    if (context->needs_input_grad(0)) dx = std::get<0>(gradients_of(dy, x, {true, false, false}));
    const bool of_weight = context->needs_input_grad(1),
               of_bias = context->saved_data["has_bias"].toBool() && context->needs_input_grad(2);
    if (!of_weight && !of_bias) return {dx, {}, {}, {}};

    const int64_t count = num_parts(x, dy), size = (x.size(0) + count - 1) / count;
    variable_list weight_parts(static_cast<size_t>((x.size(0) + size - 1) / size)), bias_parts(weight_parts);
    parallel_for(0, static_cast<int64_t>(weight_parts.size()), 1, [&](int64_t first, int64_t last) {
      const OneThreadScope one_thread;
      const at::AutoDispatchBelowADInplaceOrView no_autograd;  // it is per thread
      for (int64_t i = first; i < last; ++i) {
        const int64_t begin = i * size, end = std::min(begin + size, x.size(0));
        std::tie(std::ignore, weight_parts[static_cast<size_t>(i)], bias_parts[static_cast<size_t>(i)]) =
            gradients_of(dy.slice(0, begin, end), x.slice(0, begin, end), {false, of_weight, of_bias});
      }
    });
    return {dx, added_up(weight_parts), added_up(bias_parts), {}};
  }
};

}  // namespace

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const ConvolutionShape& shape) {
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return Convolution::apply(x, weight, bias, shape);
  const auto cast = [](const at::Tensor& t) {
    return t.defined() ? at::autocast::cached_cast(at::autocast::get_autocast_dtype(at::kCPU), t, at::kCPU)
                       : t;
  };
  const auto x_cast = cast(x), weight_cast = cast(weight), bias_cast = cast(bias);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  return Convolution::apply(x_cast, weight_cast, bias_cast, shape);
}

bool convolves_bfloat16() {
  static const bool found = [] {
    torch::jit::Stack stack;
    c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "").callBoxed(stack);
    return stack.front().toBool();
  }();
  return found;
}

}  // namespace gen::row_wise
