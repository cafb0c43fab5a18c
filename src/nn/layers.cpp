#include "nn/layers.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cmath>

#include "gen/core/check.h"
#include "gen/nn/row_wise.h"
#include "gen/ops/group_norm_silu.h"
#include "nn/convolution.h"

namespace gen {
namespace {

/// The initial values of torch.nn.Linear and Conv2d, drawn in their order: weight, then bias.
void initialize(at::Tensor& weight, at::Tensor& bias) {
  const at::NoGradGuard no_grad;
  torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
  const double bound = 1.0 / std::sqrt(static_cast<double>(weight.numel() / weight.size(0)));
  torch::nn::init::uniform_(bias, -bound, bound);
}

// oneDNN's operators, which torch registers without a C++ declaration.
c10::OperatorHandle find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
}

template <class... Args>
at::Tensor call(const c10::OperatorHandle& op, Args&&... args) {
  torch::jit::Stack stack;
  torch::jit::push(stack, std::forward<Args>(args)...);
  op.callBoxed(stack);
  return stack.front().toTensor();
}

// A convolution whose weights are reordered at each call spends up to a third of its time on that.
at::Tensor reorder_weight(const at::Tensor& weight, const Conv2dOptions& o, at::IntArrayRef input_size) {
  static const auto op = find_operator("mkldnn::_reorder_convolution_weight");
  const std::vector<int64_t> padding(2, o.padding), stride(2, o.stride), dilation(2, 1);
  return call(op, weight, padding, stride, dilation, int64_t{1}, input_size.vec());
}

at::Tensor convolution_pointwise(const at::Tensor& x, const at::Tensor& reordered, const at::Tensor& bias,
                                 const Conv2dOptions& o) {
  static const auto op = find_operator("mkldnn::_convolution_pointwise");
  const std::vector<int64_t> padding(2, o.padding), stride(2, o.stride), dilation(2, 1);
  return call(op, x, reordered, bias.defined() ? c10::IValue(bias) : c10::IValue(), padding, stride, dilation,
              int64_t{1}, "none", c10::List<std::optional<at::Scalar>>(), c10::IValue());
}

}  // namespace

Linear::Linear(int64_t in, int64_t out) {
  weight = register_parameter("weight", torch::empty({out, in}));
  bias = register_parameter("bias", torch::empty({out}));
  initialize(weight, bias);
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  return packed_weight_.defined() ? row_wise::linear(x, packed_weight_, packed_bias_)
                                  : row_wise::linear(x, weight, bias);
}

void Linear::pack(at::ScalarType dtype) {
  // On a CPU the values of `dtype` are kept as float32, which row_wise::linear computes in.
  const auto kept = weight.is_cpu() ? at::kFloat : dtype;
  packed_weight_ = weight.detach().to(dtype).to(kept);
  packed_bias_ = bias.detach().to(dtype).to(kept);
}

void Linear::unpack() { packed_weight_ = packed_bias_ = at::Tensor(); }

Conv2d::Conv2d(int64_t in, int64_t out, Conv2dOptions options) : options_(options) {
  weight = register_parameter("weight", torch::empty({out, in, options.kernel, options.kernel}));
  bias = register_parameter("bias", torch::empty({out}));
  initialize(weight, bias);
}

at::Tensor Conv2d::forward(const at::Tensor& x) const {
  if (packed_weight_.defined()) return convolve_packed(x, 0, packed_bias_);
  return row_wise::conv2d(x, weight, bias, options_.stride, options_.padding);
}

at::Tensor Conv2d::forward(const at::Tensor& x, const at::Tensor& skip) const {
  const int64_t first = x.size(1);
  if (packed_weight_.defined())
    return convolve_packed(x, 0, packed_bias_).add_(convolve_packed(skip, first, {}));
  return row_wise::conv2d(x, weight.slice(1, 0, first), bias, options_.stride, options_.padding) +
         row_wise::conv2d(skip, weight.slice(1, first), {}, options_.stride, options_.padding);
}

at::Tensor Conv2d::convolve_packed(const at::Tensor& x, int64_t first_channel,
                                   const at::Tensor& with_bias) const {
  const auto part = [&] { return packed_weight_.slice(1, first_channel, first_channel + x.size(1)); };
  const auto in = x.to(packed_weight_.scalar_type());
  if (!x.is_cpu() || !at::globalContext().userEnabledMkldnn())
    return at::conv2d(in, part(), with_bias, options_.stride, options_.padding).to(x.scalar_type());
  auto& reordered = reordered_weights_[first_channel];
  if (!reordered.defined()) reordered = reorder_weight(part().contiguous(), options_, x.sizes());
  return convolution_pointwise(in, reordered, with_bias, options_).to(x.scalar_type());
}

void Conv2d::pack(at::ScalarType dtype) {
  unpack();
  // Without instructions for it the values of bfloat16 are kept as float32.
  const bool widened = dtype == at::kBFloat16 && weight.is_cpu() && !row_wise::convolves_bfloat16();
  packed_weight_ = weight.detach().to(dtype).to(widened ? at::kFloat : dtype);
  packed_bias_ = bias.detach().to(dtype).to(widened ? at::kFloat : dtype);
}

void Conv2d::unpack() {
  packed_weight_ = packed_bias_ = at::Tensor();
  reordered_weights_.clear();
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps) : groups_(groups), eps_(eps) {
  if (groups < 1 || channels % groups != 0)
    throw ConfigError(
        fmt::format("a group norm of {} channels cannot have {} groups: expected a divisor of {}", channels,
                    groups, channels));
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor GroupNorm::forward(const at::Tensor& x, const at::Tensor& skip, const at::Tensor& shift,
                              bool silu) const {
  return ops::group_norm_silu(x, {groups_, weight, bias, eps_, silu, skip, shift});
}

at::Tensor GroupNorm::modulated(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                                bool silu) const {
  return ops::group_norm_silu(x, {groups_, weight, bias, eps_, silu, {}, {}, scale, shift});
}

at::Tensor activate(const at::Tensor& x, const std::string& name) {
  if (name == "silu" || name == "swish") return row_wise::silu(x);
  if (name == "mish") return row_wise::mish(x);
  if (name == "gelu") return row_wise::gelu(x);
  GEN_CHECK(name == "relu", "unknown activation {}", name);
  return at::relu(x);
}

}  // namespace gen
