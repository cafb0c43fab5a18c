#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/ops/relu_mlp.h"
#include "models/flow/conditioner.h"

namespace gen::flow {
namespace {

class MlpConditioner : public Conditioner {
 public:
  MlpConditioner(const MlpConditionerOptions& options, const ConditionerContext& context) {
    int64_t width = context.input[0] + context.context_dim;
    for (int64_t size : options.hidden_sizes) {
      add_layer(width, size);
      width = size;
    }
    auto last = add_layer(width, context.output_channels);
    torch::nn::init::zeros_(last->weight);
    torch::nn::init::zeros_(last->bias);
  }

  at::Tensor forward(const at::Tensor& kept, const Condition& condition) override {
    const auto x = condition.context.defined() ? at::cat({kept, condition.context}, 1) : kept;
    return relu_mlp(x, weights_, biases_);
  }

 private:
  torch::nn::Linear add_layer(int64_t in, int64_t out) {
    auto layer = register_module(std::to_string(weights_.size()), torch::nn::Linear(in, out));
    weights_.push_back(layer->weight);
    biases_.push_back(layer->bias);
    return layer;
  }

  std::vector<at::Tensor> weights_, biases_;
};

}  // namespace

void MlpConditionerOptions::visit(OptionVisitor& v) {
  v.field("hidden_sizes", hidden_sizes, "widths of the hidden layers",
          {.min = 1, .max = 65536, .min_size = 1});
}

std::shared_ptr<Conditioner> make_mlp_conditioner(const MlpConditionerOptions& options,
                                                  const ConditionerContext& context) {
  if (context.input.size() != 1)
    throw OptionError(
        "/type", fmt::format("expected resnet for halves of shape {}, got mlp, which works on points (or "
                             "flatten the images first, as nice does)",
                             to_string(context.input)));
  return std::make_shared<MlpConditioner>(options, context);
}

}  // namespace gen::flow
