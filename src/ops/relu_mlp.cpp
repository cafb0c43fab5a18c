#include "gen/ops/relu_mlp.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>

#include "gen/core/check.h"
#include "gen/core/parallel.h"
#include "ops/matmul.h"

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

using ops::cpu::PackedRight;
using ops::cpu::RightMatrix;

// h = h + bias in every row, and relu of that where it is asked for. A NaN is not <= 0: it stays, as in torch's.
void add_bias(float* h, const float* bias, int64_t rows, int64_t columns, bool relu) {
  constexpr int64_t kWorthAThread = 1 << 14;
  parallel_for(0, rows, std::max<int64_t>(1, kWorthAThread / columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* __restrict row = h + r * columns;
      if (relu)
        for (int64_t c = 0; c < columns; ++c) row[c] = row[c] + bias[c] <= 0 ? 0.0F : row[c] + bias[c];
      else
        for (int64_t c = 0; c < columns; ++c) row[c] += bias[c];
    }
  });
}

// g = 0 where the ReLU's output h was 0; a NaN lets it pass, as in torch's.
void relu_gradient(float* __restrict g, const float* __restrict h, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float passed = g[i];  // read in any case, so that the loop becomes vector code
    g[i] = h[i] <= 0 ? 0.0F : passed;
  }
}

void sum_rows(const float* __restrict g, int64_t rows, int64_t columns, float* __restrict sum) {
  std::fill_n(sum, columns, 0.0F);
  for (int64_t r = 0; r < rows; ++r, g += columns)
    for (int64_t c = 0; c < columns; ++c) sum[c] += g[c];
}

// The sum of shares [count, ...] over the pieces, in their order.
at::Tensor add_up(const at::Tensor& shares) {
  if (shares.size(0) == 1) return shares[0];
  constexpr int64_t kWorthAThread = 1 << 13;
  const auto sum = at::empty(shares.sizes().slice(1), shares.options());
  const int64_t n = sum.numel(), count = shares.size(0);
  const float* from = shares.data_ptr<float>();
  float* to = sum.data_ptr<float>();
  parallel_for(0, n, kWorthAThread, [&](int64_t begin, int64_t end) {
    std::copy(from + begin, from + end, to + begin);
    for (int64_t piece = 1; piece < count; ++piece)
      for (int64_t i = begin; i < end; ++i) to[i] += from[piece * n + i];
  });
  return sum;
}

float* data(const at::Tensor& x) { return x.data_ptr<float>(); }

// The batch in pieces of at least 64 rows, each of which one thread takes through all layers: its activations stay in
// cache, and threads meet once instead of at every product. Wide layers come as one piece, because there each product
// is worth splitting and every piece would hold weight gradients of its own. The split depends on the shapes alone, so
// results do not depend on the number of threads.
struct Pieces {
  static constexpr int64_t kMinRows = 64, kFew = 4, kManyRows = 1024, kMost = 16, kWide = int64_t{1} << 17;
  int64_t rows, count, size;
  Pieces(const at::Tensor& x, at::TensorList weights) : rows(x.size(0)) {
    int64_t parameters = 0;
    for (const auto& w : weights) parameters += w.numel();
    count = parameters > kWide
                ? 1
                : std::max(std::clamp<int64_t>(rows / kMinRows, 1, kFew), std::min(rows / kManyRows, kMost));
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

// The weights as right operands of each layer's product: W^T on the way forward, W on the way back. They are packed
// once for all pieces; where the batch is one piece, each product packs what it needs.
class LayerProducts {
 public:
  LayerProducts(at::TensorList weights, bool forward, const Pieces& pieces) : forward_(forward) {
    for (const auto& w : weights) {
      const int64_t in = w.size(1), out = w.size(0);
      const RightMatrix& b = matrices_.emplace_back(RightMatrix{data(w), in, /*transposed=*/forward});
      sizes_.emplace_back(in, out);
      if (pieces.count > 1) packed_.emplace_back(b, forward ? in : out, forward ? out : in);
    }
  }
  // y [rows, out] = x [rows, in] W^T, or dx [rows, in] = dy [rows, out] W.
  void operator()(size_t layer, const float* x, float* y, int64_t rows) const {
    const auto [in, out] = sizes_[layer];
    const int64_t k = forward_ ? in : out, n = forward_ ? out : in;
    if (packed_.empty())
      ops::cpu::matmul({x, k}, matrices_[layer], y, n, rows, n, k);
    else
      packed_[layer].multiply({x, k}, y, n, rows);
  }

 private:
  bool forward_;
  std::vector<RightMatrix> matrices_;
  std::vector<std::pair<int64_t, int64_t>> sizes_;
  std::vector<PackedRight> packed_;
};

// Writes relu(x W^T + b) of each layer (the last without relu) into activations[i + 1], with x = activations[0].
void forward_piece(const variable_list& activations, const LayerProducts& products, at::TensorList biases,
                   int64_t first, int64_t rows) {
  for (size_t i = 0; i < biases.size(); ++i) {
    const int64_t in = activations[i].size(1), out = activations[i + 1].size(1);
    float* h = data(activations[i + 1]) + first * out;
    products(i, data(activations[i]) + first * in, h, rows);
    add_bias(h, data(biases[i]), rows, out, /*relu=*/i + 1 < biases.size());
  }
}

// From dL/dy: the piece's share of every weight's and bias' gradient, and dL/dx where it is wanted.
void backward_piece(const variable_list& activations, const LayerProducts& products, const at::Tensor& grad_y,
                    const variable_list& weight_shares, const variable_list& bias_shares,
                    const at::Tensor& grad_x, int64_t piece, int64_t first, int64_t rows) {
  int64_t widest = 0;
  for (const auto& activation : activations) widest = std::max(widest, activation.size(1));
  ops::cpu::Buffer here(rows * widest), below(rows * widest);  // dL/d(output of layer i), dL/d(its input)
  const float* g = data(grad_y) + first * grad_y.size(1);
  for (size_t i = activations.size(); i-- > 0;) {
    const int64_t in = activations[i].size(1), out = bias_shares[i].size(1);
    const float* input = data(activations[i]) + first * in;
    ops::cpu::matmul({g, 1, out}, {input, in}, data(weight_shares[i]) + piece * out * in, in, out, in, rows);
    sum_rows(g, rows, out, data(bias_shares[i]) + piece * out);
    if (i == 0 && !grad_x.defined()) return;
    float* to = i == 0 ? data(grad_x) + first * in : below.data();
    products(i, g, to, rows);
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
    const Pieces pieces(inputs[0], weights);
    const LayerProducts products(weights, /*forward=*/true, pieces);
    pieces.each([&](int64_t, int64_t first, int64_t rows) {
      forward_piece(activations, products, biases, first, rows);
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
    const LayerProducts products(weights, /*forward=*/false, pieces);
    pieces.each([&](int64_t piece, int64_t first, int64_t rows) {
      backward_piece(activations, products, g, weight_shares, bias_shares, grad_x, piece, first, rows);
    });
    variable_list gradients{grad_x};
    for (size_t i = 0; i < weights.size(); ++i) {
      gradients.push_back(add_up(weight_shares[i]));
      gradients.push_back(add_up(bias_shares[i]));
    }
    return gradients;
  }
};

}  // namespace

at::Tensor relu_mlp(const at::Tensor& x, at::TensorList weights, at::TensorList biases) {
  check_shapes(x, weights, biases);
  const auto dtype = x.scalar_type();
  bool fused = x.is_cpu() && dtype == at::kFloat && !at::autocast::is_autocast_enabled(at::kCPU);
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
