#include "nn/blockwise.h"

#include <torch/torch.h>

#include "gen/core/check.h"
#include "gen/core/parallel.h"

namespace gen::row_wise {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A function into memory that is there, and its gradient from dy and what it keeps: x, or y = f(x).
struct Element {
  void (*forward)(at::Tensor& y, const at::Tensor& x);
  void (*backward)(at::Tensor& dx, const at::Tensor& dy, const at::Tensor& kept);
  bool keeps_y = false;
};

Element element(ElementFunction f) {
  using T = at::Tensor;
  switch (f) {
    case ElementFunction::sigmoid:
      return {[](T& y, const T& x) { at::sigmoid_out(y, x); },
              [](T& dx, const T& dy, const T& y) { at::sigmoid_backward_out(dx, dy, y); }, true};
    case ElementFunction::silu:
      return {[](T& y, const T& x) { at::silu_out(y, x); },
              [](T& dx, const T& dy, const T& x) { at::silu_backward_out(dx, dy, x); }};
    case ElementFunction::gelu:
      return {[](T& y, const T& x) { at::gelu_out(y, x); },
              [](T& dx, const T& dy, const T& x) { at::gelu_backward_out(dx, dy, x); }};
    case ElementFunction::softplus:  // beta 1, threshold 20: torch's
      return {[](T& y, const T& x) { at::softplus_out(y, x); },
              [](T& dx, const T& dy, const T& x) { at::softplus_backward_out(dx, dy, x, 1, 20); }};
    case ElementFunction::mish:
      return {[](T& y, const T& x) { at::mish_out(y, x); },
              [](T& dx, const T& dy, const T& x) { dx.copy_(at::mish_backward(dy, x)); }};
    case ElementFunction::elu:
      return {[](T& y, const T& x) { at::elu_out(y, x); },
              [](T& dx, const T& dy, const T& x) {
                at::elu_backward_out(dx, dy, 1, 1, 1, /*is_result=*/false, x);
              }};
    case ElementFunction::logit:
      return {[](T& y, const T& x) { at::logit_out(y, x); },
              [](T& dx, const T& dy, const T& x) { at::logit_backward_out(dx, dy, x); }};
    case ElementFunction::log_sigmoid:  // d/dx log s(x) = s(-x)
      return {[](T& y, const T& x) { at::log_sigmoid_out(y, x); },
              [](T& dx, const T& dy, const T& x) { at::sigmoid_out(dx, at::neg(x)).mul_(dy); }};
  }
  GEN_CHECK(false, "element function {}", static_cast<int>(f));
}

/// body(flat...) on each thread's share of tensors that lie alike in memory, a share being whole blocks of elements.
template <class Body>
void in_blocks(const Body& body, const at::Tensor& like) {
  constexpr int64_t kBlock = 128;             // elements: a multiple of what any vector loop takes at once
  constexpr int64_t kWorthAThread = 1 << 15;  // torch's own grain
  const int64_t n = like.numel();
  parallel_for(0, (n + kBlock - 1) / kBlock, kWorthAThread / kBlock, [&](int64_t first, int64_t last) {
    const at::AutoDispatchBelowADInplaceOrView no_autograd;  // it is per thread
    const int64_t begin = first * kBlock, end = std::min(n, last * kBlock);
    body([&](const at::Tensor& x) { return x.as_strided({n}, {1}).slice(0, begin, end); });
  });
}

struct Blockwise : torch::autograd::Function<Blockwise> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& any_x, int64_t function) {
    const auto f = static_cast<ElementFunction>(function);
    const auto x = any_x.is_non_overlapping_and_dense() ? any_x : any_x.contiguous();
    const auto y = at::empty_like(x);
    in_blocks(
        [&](const auto& share) {
          at::Tensor part = share(y);
          element(f).forward(part, share(x));
        },
        x);
    context->saved_data["function"] = function;
    context->save_for_backward({element(f).keeps_y ? y : x});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto f = static_cast<ElementFunction>(context->saved_data["function"].toInt());
    const auto saved = context->get_saved_variables().front();
    auto dy = gradients[0];
    if (dy.strides() != saved.strides()) dy = at::empty_like(saved).copy_(dy);
    const auto dx = at::empty_like(saved);
    in_blocks(
        [&](const auto& share) {
          at::Tensor part = share(dx);
          element(f).backward(part, share(dy), share(saved));
        },
        saved);
    return {dx, {}};
  }
};

}  // namespace

at::Tensor blockwise(ElementFunction f, const at::Tensor& x) {
  return Blockwise::apply(x, static_cast<int64_t>(f));
}

}  // namespace gen::row_wise
