#include <ATen/Functions.h>

#include <algorithm>
#include <vector>

#include "gen/core/parallel.h"
#include "ops/layer_norm_fused.h"

namespace gen::ops::cpu {
namespace {

using simd::Bf16;

constexpr int64_t kElementsPerThread = 16384;  // fewer are not worth a thread

template <class T>
T* elements(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

template <class T>
void forward_rows(const RowNormInputs& in, const RowNormOutputs& out,
                  const simd::RowNormKernels<T>& kernels) {
  const int64_t D = in.width();
  const float *weight = elements<float>(in.weight), *bias = elements<float>(in.bias);
  const auto eps = static_cast<float>(in.eps);
  const T *x = elements<T>(in.x), *residual = elements<T>(in.residual);
  parallel_for(0, in.rows(), std::max<int64_t>(1, kElementsPerThread / D), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      kernels.forward(x + r * D, residual ? residual + r * D : nullptr, elements<T>(out.sum) + r * D,
                      elements<T>(out.y) + r * D, D, weight, bias, eps, in.center,
                      elements<float>(out.mean) + r, elements<float>(out.rstd) + r);
  });
}

/// Rows whose share of the parameters' gradients is summed in float before the sum goes on in double.
constexpr int64_t kFloatRows = 64;

/// A piece of the rows: dx, and the piece's sums for weight and bias, [2, D] in double.
template <class T>
void backward_piece(const RowNormInputs& in, const RowNormOutputs& out, const at::Tensor& dy,
                    const at::Tensor& dsum, const at::Tensor& dx, const simd::RowNormKernels<T>& kernels,
                    int64_t begin, int64_t end, double* sums) {
  const int64_t D = in.width();
  const T *s = elements<T>(out.sum), *upstream = elements<T>(dy), *more = elements<T>(dsum);
  std::vector<float> part(static_cast<size_t>(2 * D));
  for (int64_t first = begin; first < end; first += kFloatRows) {
    std::fill(part.begin(), part.end(), 0.0F);
    const int64_t rows_here = std::min(end - first, kFloatRows), at = first * D;
    kernels.backward(upstream + at, more ? more + at : nullptr, s + at, elements<T>(dx) + at, rows_here, D,
                     elements<float>(in.weight), elements<float>(out.mean) + first,
                     elements<float>(out.rstd) + first, in.center, part.data(), part.data() + D);
    for (int64_t i = 0; i < 2 * D; ++i) sums[i] += static_cast<double>(part[static_cast<size_t>(i)]);
  }
}

/// Pieces depend on the shape alone, so the sums do not depend on the number of threads.
template <class T>
void backward_rows(const RowNormInputs& in, const RowNormOutputs& out, const at::Tensor& dy,
                   const at::Tensor& dsum, const RowNormGrads& grads,
                   const simd::RowNormKernels<T>& kernels) {
  constexpr int64_t kMostPieces = 32;
  const int64_t D = in.width(), rows = in.rows();
  const int64_t pieces =
      std::clamp<int64_t>(in.x.numel() / kElementsPerThread, 1, std::min(rows, kMostPieces));
  const int64_t size = (rows + pieces - 1) / pieces;
  std::vector<double> sums(static_cast<size_t>(pieces * 2 * D));
  parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      backward_piece(in, out, dy, dsum, grads.x, kernels, std::min(rows, i * size),
                     std::min(rows, (i + 1) * size), sums.data() + i * 2 * D);
  });
  for (int64_t c = 0; c < D; ++c) {
    double weight = 0, bias = 0;
    for (int64_t i = 0; i < pieces; ++i) {
      weight += sums[static_cast<size_t>(i * 2 * D + c)];
      bias += sums[static_cast<size_t>((i * 2 + 1) * D + c)];
    }
    elements<float>(grads.weight)[c] = static_cast<float>(weight);
    elements<float>(grads.bias)[c] = static_cast<float>(bias);
  }
}

}  // namespace

bool row_norm_supported(const at::Tensor& x, const NormArgs& args) {
  const bool dtype = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return dtype && x.is_cpu() && x.numel() > 0 &&
         (!args.residual.defined() || args.residual.scalar_type() == x.scalar_type());
}

RowNormOutputs row_norm_forward(const RowNormInputs& in, const simd::Kernels& kernels) {
  const auto statistics = in.x.options().dtype(at::kFloat);
  const RowNormOutputs out{at::empty_like(in.x), in.residual.defined() ? at::empty_like(in.x) : in.x,
                           at::empty({in.rows()}, statistics), at::empty({in.rows()}, statistics)};
  if (in.x.scalar_type() == at::kFloat)
    forward_rows<float>(in, out, *kernels.row_norm);
  else
    forward_rows<Bf16>(in, out, *kernels.row_norm_bf16);
  return out;
}

RowNormGrads row_norm_backward(const RowNormInputs& in, const RowNormOutputs& out, const at::Tensor& dy,
                               const at::Tensor& dsum, const simd::Kernels& kernels) {
  const RowNormGrads grads{at::empty_like(in.x), at::empty_like(in.weight), at::empty_like(in.weight)};
  if (in.x.scalar_type() == at::kFloat)
    backward_rows<float>(in, out, dy, dsum, grads, *kernels.row_norm);
  else
    backward_rows<Bf16>(in, out, dy, dsum, grads, *kernels.row_norm_bf16);
  return grads;
}

}  // namespace gen::ops::cpu
