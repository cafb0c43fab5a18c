#include "gen/ops/rotary.h"

#include <torch/torch.h>

#include <algorithm>

#include "gen/core/check.h"
#include "gen/core/parallel.h"
#include "ops/cuda_launch.h"
#include "ops/rotary_fused.h"

namespace gen::ops {

fused::RotaryProblem rotary_problem(const at::Tensor& x, const at::Tensor& y, const RotaryTable& table,
                                    RotaryLayout layout, bool inverse) {
  fused::RotaryProblem p;
  p.batch = x.size(0);
  p.heads = x.size(1);
  p.length = x.size(2);
  p.dim = x.size(3);
  p.pairs = table.cos.size(-1);
  p.interleaved = layout == RotaryLayout::interleaved;
  p.inverse = inverse;
  p.dtype = *dtype_of(x.scalar_type());
  p.x = pointer<void>(x);
  p.y = pointer<void>(y);
  for (int i = 0; i < 3; ++i) {
    p.x_strides[i] = x.stride(i);
    p.y_strides[i] = y.stride(i);
  }
  p.cos = pointer<float>(table.cos);
  p.sin = pointer<float>(table.sin);
  p.table_batch_stride = table.cos.dim() == 3 ? p.length * p.pairs : 0;
  return p;
}

namespace cpu {
namespace {

template <class T>
void rotate_with(const fused::RotaryProblem& p, const simd::RotaryKernels<T>& kernels) {
  constexpr int64_t kLeastElements = 16384;  // fewer are not worth a thread
  const int64_t rows = p.batch * p.heads * p.length;
  parallel_for(0, rows, std::max<int64_t>(1, kLeastElements / p.dim), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t t = row % p.length, head = row / p.length % p.heads, n = row / p.length / p.heads;
      const auto at = [&](const int64_t(&strides)[3]) {
        return n * strides[0] + head * strides[1] + t * strides[2];
      };
      const int64_t table = n * p.table_batch_stride + t * p.pairs;
      kernels.row(static_cast<const T*>(p.x) + at(p.x_strides), static_cast<T*>(p.y) + at(p.y_strides), p.dim,
                  p.pairs, p.cos + table, p.sin + table, p.interleaved, p.inverse);
    }
  });
}

}  // namespace

void rotate_rows(const fused::RotaryProblem& problem, const simd::Kernels& kernels) {
  if (problem.dtype == fused::DType::f32)
    rotate_with<float>(problem, *kernels.rotary);
  else
    rotate_with<simd::Bf16>(problem, *kernels.rotary_bf16);
}

}  // namespace cpu

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

void check_rotary(const at::Tensor& x, const RotaryTable& table) {
  const auto text = [](const at::Tensor& t) { return fmt::format("[{}]", fmt::join(t.sizes(), ", ")); };
  const auto& cos = table.cos;
  bool fits = x.dim() == 4 && cos.sizes() == table.sin.sizes() && (cos.dim() == 2 || cos.dim() == 3) &&
              cos.scalar_type() == at::kFloat && table.sin.scalar_type() == at::kFloat;
  fits = fits && cos.size(-2) == x.size(2) && 2 * cos.size(-1) <= x.size(3) &&
         (cos.dim() == 2 || cos.size(0) == x.size(0));
  if (!fits)
    throw ShapeError(
        fmt::format("rotary: expected x [B, H, T, D] and float32 cos and sin [T, R/2] or [B, T, R/2] with R "
                    "<= D, got x {}, cos {}, sin {}",
                    text(x), text(cos), text(table.sin)));
}

bool rotary_supported(const at::Tensor& x) {
  const auto dtype = x.scalar_type();
  if (x.numel() == 0) return false;
  if (x.is_cpu()) return dtype == at::kFloat || dtype == at::kBFloat16;
  return x.is_cuda() && dtype_of(dtype) && cuda_symbol(fused::kRotarySymbol) != nullptr;
}

/// The definition, of torch's own operations: what other devices and dtypes get.
at::Tensor composed_rotary(const at::Tensor& x, const RotaryTable& table, RotaryLayout layout, bool inverse) {
  const int64_t pairs = table.cos.size(-1);
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto of_heads = [&](const at::Tensor& t) { return (t.dim() == 3 ? t.unsqueeze(1) : t).to(wide); };
  const auto cos = of_heads(table.cos), sin = of_heads(inverse ? table.sin.neg() : table.sin);
  const auto rotated = x.narrow(3, 0, 2 * pairs).to(wide);
  const bool neighbours = layout == RotaryLayout::interleaved;
  const auto parts = neighbours ? rotated.unflatten(3, {pairs, 2}).unbind(4) : rotated.chunk(2, 3);
  const at::Tensor first = parts[0] * cos - parts[1] * sin, second = parts[1] * cos + parts[0] * sin;
  const auto turned = neighbours ? at::stack({first, second}, 4).flatten(3) : at::cat({first, second}, 3);
  return at::cat({turned.to(x.scalar_type()), x.narrow(3, 2 * pairs, x.size(3) - 2 * pairs)}, 3);
}

void rotate_into(const at::Tensor& x, const at::Tensor& y, const RotaryTable& table, RotaryLayout layout,
                 bool inverse) {
  const auto problem = rotary_problem(x, y, table, layout, inverse);
  if (x.is_cuda())
    cuda::launch(cuda::launcher<fused::RotaryLauncher>(fused::kRotarySymbol), problem, "rotary");
  else
    cpu::rotate_rows(problem);
}

/// Its gradient is the rotation by the opposite angle, which is itself again.
struct Rotary : torch::autograd::Function<Rotary> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& cos,
                          const Variable& sin, bool interleaved, bool inverse, bool in_place) {
    context->save_for_backward({cos, sin});
    context->saved_data["interleaved"] = interleaved;
    context->saved_data["inverse"] = inverse;
    if (in_place) context->mark_dirty({x});
    const auto layout = interleaved ? RotaryLayout::interleaved : RotaryLayout::half;
    const auto from = x.stride(3) == 1 ? x : x.contiguous();
    const auto to = in_place ? x : at::empty_like(from);
    rotate_into(from, to, {cos, sin}, layout, inverse);
    return to;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    return {apply(grads[0], saved[0], saved[1], context->saved_data["interleaved"].toBool(),
                  !context->saved_data["inverse"].toBool(), false),
            {},
            {},
            {},
            {},
            {}};
  }
};

}  // namespace

at::Tensor rotary_frequencies(int64_t dim, double theta) {
  GEN_CHECK(dim >= 2 && dim % 2 == 0, "rotary_frequencies: expected an even dim, got {}", dim);
  const auto exponents = at::arange(0, dim, 2, at::kFloat) / static_cast<double>(dim);
  return at::pow(theta, exponents).reciprocal();
}

RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies, double scale) {
  const at::NoGradGuard no_grad;
  const auto angles = positions.to(at::kFloat).unsqueeze(-1) * frequencies.to(positions.device(), at::kFloat);
  return {(angles.cos() * scale).contiguous(), (angles.sin() * scale).contiguous()};
}

at::Tensor rotary(const at::Tensor& x, const RotaryTable& table, RotaryLayout layout) {
  check_rotary(x, table);
  if (!rotary_supported(x)) return composed_rotary(x, table, layout, /*inverse=*/false);
  return Rotary::apply(x, table.cos.contiguous(), table.sin.contiguous(), layout == RotaryLayout::interleaved,
                       /*inverse=*/false, /*in_place=*/false);
}

at::Tensor rotary_(const at::Tensor& x, const RotaryTable& table, RotaryLayout layout) {
  check_rotary(x, table);
  if (x.stride(3) != 1)
    throw ShapeError(
        fmt::format("rotary_: expected a contiguous last dimension, got stride {}", x.stride(3)));
  if (!rotary_supported(x)) {
    x.copy_(composed_rotary(x, table, layout, /*inverse=*/false));
    return x;
  }
  return Rotary::apply(x, table.cos.contiguous(), table.sin.contiguous(), layout == RotaryLayout::interleaved,
                       /*inverse=*/false, /*in_place=*/true);
}

}  // namespace gen::ops
