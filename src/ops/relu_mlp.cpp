#include "gen/ops/relu_mlp.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>
#include <type_traits>

#include "gen/core/check.h"
#include "gen/core/parallel.h"

// LibTorch's own BLAS (MKL), which works on one thread inside a parallel region.
extern "C" {
void sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k, const float* alpha,
            const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c, const int* ldc);
void dgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k, const double* alpha,
            const double* a, const int* lda, const double* b, const int* ldb, const double* beta, double* c,
            const int* ldc);
}

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

// Row-major C [m, n] = op(A) op(B) + beta C by one thread; lda, ldb, ldc are row lengths. BLAS counts by columns, so it
// is given C^T = op(B)^T op(A)^T.
template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T beta, T* c, int64_t ldc) {
  const char ta = transpose_a ? 'T' : 'N', tb = transpose_b ? 'T' : 'N';
  const auto i = [](int64_t value) { return static_cast<int>(value); };
  const int m_ = i(m), n_ = i(n), k_ = i(k), lda_ = i(lda), ldb_ = i(ldb), ldc_ = i(ldc);
  const T one = 1;
  if constexpr (std::is_same_v<T, float>)
    sgemm_(&tb, &ta, &n_, &m_, &k_, &one, b, &ldb_, a, &lda_, &beta, c, &ldc_);
  else
    dgemm_(&tb, &ta, &n_, &m_, &k_, &one, b, &ldb_, a, &lda_, &beta, c, &ldc_);
}

// h = h + bias in every row, and relu of that where it is asked for.
template <class T>
void add_bias(T* __restrict h, const T* __restrict bias, int64_t rows, int64_t columns, bool relu) {
  for (int64_t r = 0; r < rows; ++r, h += columns) {
    if (relu)
      for (int64_t c = 0; c < columns; ++c) h[c] = h[c] + bias[c] > T(0) ? h[c] + bias[c] : T(0);
    else
      for (int64_t c = 0; c < columns; ++c) h[c] += bias[c];
  }
}

// g = 0 where the ReLU's output h was 0.
template <class T>
void relu_gradient(T* __restrict g, const T* __restrict h, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const T passed = g[i];  // read in any case, so that the loop becomes vector code
    g[i] = h[i] > T(0) ? passed : T(0);
  }
}

template <class T>
void sum_rows(const T* __restrict g, int64_t rows, int64_t columns, T* __restrict sum) {
  std::fill_n(sum, columns, T(0));
  for (int64_t r = 0; r < rows; ++r, g += columns)
    for (int64_t c = 0; c < columns; ++c) sum[c] += g[c];
}

template <class T>
T* data(const at::Tensor& x) {
  return x.data_ptr<T>();
}

// The batch in pieces of at least 64 rows, each of which one thread takes through all layers: its activations stay in
// cache, and threads meet once instead of at every product. Wide layers come as one piece, because there each product
// is worth splitting and every piece would hold weight gradients of its own. The split depends on the shapes alone, so
// results do not depend on the number of threads.
struct Pieces {
  static constexpr int64_t kMinRows = 64, kMost = 4, kWide = int64_t{1} << 17;
  int64_t rows, count, size;
  Pieces(const at::Tensor& x, at::TensorList weights) : rows(x.size(0)) {
    int64_t parameters = 0;
    for (const auto& w : weights) parameters += w.numel();
    count = parameters > kWide ? 1 : std::clamp<int64_t>(rows / kMinRows, 1, kMost);
    size = (rows + count - 1) / count;
  }
  // body(piece, first row, number of rows)
  template <class Body>
  void each(const Body& body) const {
    parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        body(i, std::min(rows, i * size), std::min(size, std::max<int64_t>(0, rows - i * size)));
    });
  }
};

// Writes relu(x W^T + b) of each layer (the last without relu) into activations[i + 1], with x = activations[0].
template <class T>
void forward_piece(const variable_list& activations, at::TensorList weights, at::TensorList biases, int64_t first,
                   int64_t rows) {
  for (size_t i = 0; i < weights.size(); ++i) {
    const int64_t in = weights[i].size(1), out = weights[i].size(0);
    T* h = data<T>(activations[i + 1]) + first * out;
    const T* bias = data<T>(biases[i]);
    gemm<T>(false, true, rows, out, in, data<T>(activations[i]) + first * in, in, data<T>(weights[i]), in, T(0), h, out);
    add_bias(h, bias, rows, out, /*relu=*/i + 1 < weights.size());
  }
}

// From dL/dy: the piece's share of every weight's and bias' gradient, and dL/dx where it is wanted.
template <class T>
void backward_piece(const variable_list& activations, at::TensorList weights, const at::Tensor& grad_y,
                    const variable_list& weight_shares, const variable_list& bias_shares, const at::Tensor& grad_x,
                    int64_t piece, int64_t first, int64_t rows) {
  std::vector<T> here, below;  // dL/d(output of layer i), dL/d(its input)
  const T* g = data<T>(grad_y) + first * grad_y.size(1);
  for (size_t i = weights.size(); i-- > 0;) {
    const int64_t in = weights[i].size(1), out = weights[i].size(0);
    const T* input = data<T>(activations[i]) + first * in;
    gemm<T>(true, false, out, in, rows, g, out, input, in, T(0), data<T>(weight_shares[i]) + piece * out * in, in);
    sum_rows(g, rows, out, data<T>(bias_shares[i]) + piece * out);
    if (i == 0 && !grad_x.defined()) return;
    below.resize(static_cast<size_t>(rows * in));
    T* to = i == 0 ? data<T>(grad_x) + first * in : below.data();
    gemm<T>(false, false, rows, in, out, g, out, data<T>(weights[i]), in, T(0), to, in);
    if (i == 0) return;
    relu_gradient(to, input, rows * in);  // input = relu(.)
    std::swap(here, below);
    g = here.data();
  }
}

// Inputs are x, then each layer's weight and bias, contiguous; what is saved is x, the hidden activations and the
// weights.
struct ReluMlp : torch::autograd::Function<ReluMlp> {
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs) {
    const size_t layers = (inputs.size() - 1) / 2;
    variable_list weights, biases, activations{inputs[0]};
    for (size_t i = 0; i < layers; ++i) {
      weights.push_back(inputs[2 * i + 1]);
      biases.push_back(inputs[2 * i + 2]);
      activations.push_back(at::empty({inputs[0].size(0), weights[i].size(0)}, inputs[0].options()));
    }
    AT_DISPATCH_FLOATING_TYPES(inputs[0].scalar_type(), "relu_mlp", [&] {
      Pieces(inputs[0], weights).each([&](int64_t, int64_t first, int64_t rows) {
        forward_piece<scalar_t>(activations, weights, biases, first, rows);
      });
    });
    const auto y = activations.back();
    activations.back() = weights.front();
    activations.insert(activations.end(), weights.begin() + 1, weights.end());
    context->save_for_backward(activations);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const auto saved = context->get_saved_variables();
    const auto layers = static_cast<std::ptrdiff_t>(saved.size() / 2);
    const variable_list activations(saved.begin(), saved.begin() + layers);
    const variable_list weights(saved.begin() + layers, saved.end());
    const auto g = output_gradients[0].contiguous();
    const Pieces pieces(saved[0], weights);
    // Each piece's share of the gradients; they are added in the order of the pieces.
    variable_list weight_shares, bias_shares;
    for (const auto& w : weights) {
      weight_shares.push_back(at::empty({pieces.count, w.size(0), w.size(1)}, w.options()));
      bias_shares.push_back(at::empty({pieces.count, w.size(0)}, w.options()));
    }
    const auto grad_x = context->needs_input_grad(0) ? at::empty_like(saved[0]) : at::Tensor();
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "relu_mlp_backward", [&] {
      pieces.each([&](int64_t piece, int64_t first, int64_t rows) {
        backward_piece<scalar_t>(activations, weights, g, weight_shares, bias_shares, grad_x, piece, first, rows);
      });
    });
    variable_list gradients{grad_x};
    for (size_t i = 0; i < weights.size(); ++i)
      for (const auto& shares : {weight_shares[i], bias_shares[i]})
        gradients.push_back(pieces.count == 1 ? shares[0] : shares.sum(0));
    return gradients;
  }
};

}  // namespace

at::Tensor relu_mlp(const at::Tensor& x, at::TensorList weights, at::TensorList biases) {
  check_shapes(x, weights, biases);
  const auto dtype = x.scalar_type();
  bool fused = x.is_cpu() && (dtype == at::kFloat || dtype == at::kDouble) && !at::autocast::is_autocast_enabled(at::kCPU);
  for (size_t i = 0; i < weights.size(); ++i)
    fused = fused && weights[i].scalar_type() == dtype && biases[i].scalar_type() == dtype;
  if (!fused) return composed(x, weights, biases);
  variable_list inputs{x.contiguous()};
  inputs.reserve(2 * weights.size() + 1);
  for (size_t i = 0; i < weights.size(); ++i) {
    inputs.push_back(weights[i].contiguous());
    inputs.push_back(biases[i].contiguous());
  }
  return ReluMlp::apply(at::TensorList(inputs));
}

}  // namespace gen
