#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/nn/row_wise_layers.h"
#include "models/flow/conditioner.h"

namespace gen::flow {
namespace {

RowWiseConv2d convolution(int64_t in, int64_t out, int64_t kernel) {
  return RowWiseConv2d(torch::nn::Conv2dOptions(in, out, kernel).padding(kernel / 2));
}

// x + conv_1x1(relu(conv_3x3(relu(x)))): the second kernel is 1 x 1 because the mixing in space is the
// expensive part.
class ResidualBlock : public torch::nn::Module {
 public:
  explicit ResidualBlock(int64_t channels)
      : conv1_(register_module("conv1", convolution(channels, channels, 3))),
        conv2_(register_module("conv2", convolution(channels, channels, 1))) {}

  at::Tensor forward(const at::Tensor& x) { return x + conv2_(conv1_(at::relu(x)).relu_()); }

 private:
  RowWiseConv2d conv1_, conv2_;
};

class ResnetConditioner : public Conditioner {
 public:
  ResnetConditioner(const ResnetConditionerOptions& options, const ConditionerContext& context) {
    const int64_t width = options.hidden_channels * context.width_factor;
    conv_in_ = register_module("conv_in", convolution(context.input[0], width, 3));
    if (context.context_dim > 0)
      context_in_ = register_module(
          "context_in", RowWiseLinear(torch::nn::LinearOptions(context.context_dim, width).bias(false)));
    for (int64_t i = 0; i < options.num_blocks; ++i)
      blocks_.push_back(register_module("block" + std::to_string(i), std::make_shared<ResidualBlock>(width)));
    conv_out_ = register_module("conv_out", convolution(width, context.output_channels, 1));
    torch::nn::init::zeros_(conv_out_->weight);
    torch::nn::init::zeros_(conv_out_->bias);
  }

  at::Tensor forward(const at::Tensor& kept, const Condition& condition) override {
    auto h = conv_in_(kept.contiguous(at::MemoryFormat::ChannelsLast));  // [B, width, H, W]
    if (condition.context.defined()) h = h + context_in_(condition.context).unsqueeze(-1).unsqueeze(-1);
    for (const auto& block : blocks_) h = block->forward(h);
    return conv_out_(at::relu(h));
  }

 private:
  RowWiseConv2d conv_in_{nullptr}, conv_out_{nullptr};
  RowWiseLinear context_in_{nullptr};
  std::vector<std::shared_ptr<ResidualBlock>> blocks_;
};

}  // namespace

void ResnetConditionerOptions::visit(OptionVisitor& v) {
  v.field("hidden_channels", hidden_channels, "width at the first scale; it doubles with each further one",
          {.min = 1, .max = 4096});
  v.field("num_blocks", num_blocks, "residual blocks", {.min = 0, .max = 256});
}

std::shared_ptr<Conditioner> make_resnet_conditioner(const ResnetConditionerOptions& options,
                                                     const ConditionerContext& context) {
  if (context.input.size() != 3)
    throw OptionError("/type",
                      fmt::format("expected mlp for halves of shape {}, got resnet, which works on images",
                                  to_string(context.input)));
  return std::make_shared<ResnetConditioner>(options, context);
}

}  // namespace gen::flow
