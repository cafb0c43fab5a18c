#include "models/vae/coder.h"

#include <fmt/ranges.h>

#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/nn/row_wise_layers.h"
#include "models/vae/activation.h"

namespace gen::vae {

torch::nn::Functional make_activation(Activation activation) {
  using torch::nn::Functional;
  switch (activation) {
    case Activation::relu:
      return Functional([](const at::Tensor& x) { return at::relu(x); });
    case Activation::leaky_relu:
      return Functional([](const at::Tensor& x) { return at::leaky_relu(x, 0.01); });
    case Activation::elu:
      return Functional([](const at::Tensor& x) { return row_wise::elu(x); });
    case Activation::silu:
      return Functional([](const at::Tensor& x) { return row_wise::silu(x); });
    case Activation::gelu:
      return Functional([](const at::Tensor& x) { return row_wise::gelu(x); });
    case Activation::tanh:
      return Functional([](const at::Tensor& x) { return at::tanh(x); });
    case Activation::softplus:
      return Functional([](const at::Tensor& x) { return row_wise::softplus(x); });
  }
  GEN_CHECK(false, "activation {} has no function", static_cast<int>(activation));
}

namespace {

constexpr int64_t kKernel = 4, kStride = 2, kPadding = 1;  // of every convolution

template <class Layer>
Layer glorot(Layer layer) {
  torch::nn::init::xavier_uniform_(layer->weight);
  torch::nn::init::zeros_(layer->bias);
  return layer;
}

RowWiseLinear linear(int64_t inputs, int64_t outputs) { return glorot(RowWiseLinear(inputs, outputs)); }

struct MlpOptions {
  std::vector<int64_t> hidden_sizes{500, 500};
  Activation activation = Activation::relu;
  void visit(OptionVisitor& v) {
    v.field("hidden_sizes", hidden_sizes, "units of each hidden layer, from the data to the code",
            {.min = 1, .max = 65536, .max_size = 64});
    v.choice("activation", activation, kActivations, "non-linearity after each hidden layer");
  }
};

class MlpCoder final : public Coder {
 public:
  MlpCoder(const MlpOptions& options, const CoderContext& context)
      : out_shape_(context.side == Side::encoder ? std::vector{context.code_dim} : context.data_shape) {
    const int64_t dims = c10::multiply_integers(context.data_shape);
    std::vector<int64_t> sizes{dims};
    sizes.insert(sizes.end(), options.hidden_sizes.begin(), options.hidden_sizes.end());
    sizes.push_back(context.code_dim);
    if (context.side == Side::decoder) std::reverse(sizes.begin(), sizes.end());
    torch::nn::Sequential layers;
    for (size_t i = 0; i + 1 < sizes.size(); ++i) {
      if (i > 0) layers->push_back(make_activation(options.activation));
      output_ = linear(sizes[i], sizes[i + 1]);
      layers->push_back(output_);
    }
    layers_ = register_module("layers", layers);
  }

  at::Tensor forward(const at::Tensor& input) override {
    return layers_->forward(input.flatten(1)).unflatten(1, out_shape_);  // [B, code_dim] or [B, *data_shape]
  }
  void set_output_bias(const at::Tensor& values) override {
    torch::NoGradGuard no_grad;
    output_->bias.copy_(values.flatten());
  }

 private:
  std::vector<int64_t> out_shape_;
  torch::nn::Sequential layers_{nullptr};
  RowWiseLinear output_{nullptr};
};

struct ConvOptions {
  std::vector<int64_t> channels{32, 64};
  int64_t hidden_size = 256;
  Activation activation = Activation::relu;
  void visit(OptionVisitor& v) {
    v.field("channels", channels, "channels of each 4x4 convolution of stride 2, from the data to the code",
            {.min = 1, .max = 8192, .min_size = 1, .max_size = 12});
    v.field("hidden_size", hidden_size, "units of the dense layer between the convolutions and the code",
            {.min = 1, .max = 65536});
    v.choice("activation", activation, kActivations, "non-linearity after each hidden layer");
  }
};

class ConvCoder final : public Coder {
 public:
  ConvCoder(const ConvOptions& options, const CoderContext& context) {
    const auto& shape = context.data_shape;
    if (shape.size() != 3)
      throw OptionError("/type",
                        fmt::format("expected mlp for data of shape [{}], got conv, which works on images "
                                    "[C, H, W]",
                                    fmt::join(shape, ", ")));
    std::vector<std::array<int64_t, 3>> sizes{{shape[0], shape[1], shape[2]}};  // (C, H, W) from data to code
    for (int64_t channels : options.channels) {
      const auto [c, h, w] = sizes.back();
      if (h < 2 || w < 2)
        throw OptionError("/channels",
                          fmt::format("expected fewer convolutions, got {}: each halves a {} x {} image, "
                                      "and these leave nothing of it",
                                      options.channels.size(), shape[1], shape[2]));
      sizes.push_back({channels, h / 2, w / 2});
    }
    layers_ =
        register_module("layers", context.side == Side::encoder ? encoder(options, sizes, context.code_dim)
                                                                : decoder(options, sizes, context.code_dim));
  }

  at::Tensor forward(const at::Tensor& input) override { return layers_->forward(input); }
  void set_output_bias(const at::Tensor& values) override {
    torch::NoGradGuard no_grad;
    output_->bias.copy_(values.mean({1, 2}));
  }

 private:
  using Sizes = std::vector<std::array<int64_t, 3>>;

  static torch::nn::Sequential encoder(const ConvOptions& options, const Sizes& sizes, int64_t code_dim) {
    torch::nn::Sequential layers;
    for (size_t i = 0; i + 1 < sizes.size(); ++i) {
      const auto conv =
          torch::nn::Conv2dOptions(sizes[i][0], sizes[i + 1][0], kKernel).stride(kStride).padding(kPadding);
      layers->push_back(glorot(RowWiseConv2d(conv)));
      layers->push_back(make_activation(options.activation));
    }
    layers->push_back(torch::nn::Flatten());
    layers->push_back(linear(c10::multiply_integers(sizes.back()), options.hidden_size));
    layers->push_back(make_activation(options.activation));
    layers->push_back(linear(options.hidden_size, code_dim));
    return layers;
  }

  torch::nn::Sequential decoder(const ConvOptions& options, const Sizes& sizes, int64_t code_dim) {
    torch::nn::Sequential layers;
    layers->push_back(linear(code_dim, options.hidden_size));
    layers->push_back(make_activation(options.activation));
    layers->push_back(linear(options.hidden_size, c10::multiply_integers(sizes.back())));
    layers->push_back(torch::nn::Unflatten(
        torch::nn::UnflattenOptions(1, {sizes.back().begin(), sizes.back().end()})));  // [B, C, h, w]
    for (size_t i = sizes.size() - 1; i > 0; --i) {
      const auto [c, h, w] = sizes[i - 1];
      layers->push_back(make_activation(options.activation));
      // The encoder halves rounding down; the padding gives an odd size its last row and column back.
      output_ = glorot(RowWiseConvTranspose2d(torch::nn::ConvTranspose2dOptions(sizes[i][0], c, kKernel)
                                                  .stride(kStride)
                                                  .padding(kPadding)
                                                  .output_padding({h % 2, w % 2})));
      layers->push_back(output_);
    }
    return layers;
  }

  torch::nn::Sequential layers_{nullptr};
  RowWiseConvTranspose2d output_{nullptr};
};

}  // namespace

const CoderKind& coders() {
  static const auto kind = [] {
    CoderKind k("vae_network");
    k.add<MlpOptions>(
        "mlp", [](const MlpOptions& o, const CoderContext& c) { return std::make_shared<MlpCoder>(o, c); },
        "fully connected layers, over images or points (Kingma & Welling 2014)");
    k.add<ConvOptions>(
        "conv", [](const ConvOptions& o, const CoderContext& c) { return std::make_shared<ConvCoder>(o, c); },
        "strided convolutions and their transposes, over images (Radford et al. 2016)");
    return k;
  }();
  return kind;
}

}  // namespace gen::vae
