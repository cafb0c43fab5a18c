#include "nn/mlp.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/error.h"
#include "gen/nn/row_wise.h"
#include "nn/class_labels.h"

namespace gen {

void MlpOptions::visit(OptionVisitor& v) {
  v.field("in_features", in_features, "elements of an example; null: the data's", {.min = 1, .max = 1 << 24});
  v.field("hidden_size", hidden_size, "width of the residual stream", {.min = 2, .max = 65536});
  v.field("num_layers", num_layers, "residual blocks", {.min = 1, .max = 1024});
  v.field("num_class_embeds", num_class_embeds,
          "classes; null: the data's, where the model is conditioned on labels", {.min = 1, .max = 1 << 24});
}

Mlp::Mlp(const MlpOptions& options, std::vector<int64_t> shape)
    : options_(options), shape_(std::move(shape)) {
  const int64_t width = options.hidden_size;
  proj_in_ = register_module("proj_in", std::make_shared<Linear>(*options.in_features, width));
  UNet2dOptions time;
  time.block_out_channels = {width};
  time_proj_ = std::make_shared<TimeProjection>(time);
  time_embedding_ = register_module("time_embedding", std::make_shared<TimestepEmbedding>(width, width));
  if (options.num_class_embeds)
    class_embedding_ =
        register_module("class_embedding", torch::nn::Embedding(*options.num_class_embeds, width));
  auto list = register_module("blocks", std::make_shared<torch::nn::ModuleListImpl>());
  for (int64_t i = 0; i < options.num_layers; ++i) {
    auto holder = std::make_shared<torch::nn::Module>();
    const auto linear = [&](const char* name) {
      return holder->register_module(name, std::make_shared<Linear>(width, width));
    };
    const auto linear_1 = linear("linear_1"), time_emb_proj = linear("time_emb_proj"),
               linear_2 = linear("linear_2");
    blocks_.push_back({linear_1, time_emb_proj, linear_2});
    list->push_back(holder);
  }
  proj_out_ = register_module("proj_out", std::make_shared<Linear>(width, *options.in_features));
}

at::Tensor Mlp::forward(const at::Tensor& sample, const at::Tensor& timestep,
                        const at::Tensor& class_labels) {
  const int64_t B = sample.dim() > 0 ? sample.size(0) : 0;
  if (B == 0 || sample.numel() != B * *options_.in_features)
    throw ShapeError(fmt::format("mlp: expected sample [B, {}], got [{}]", fmt::join(shape_, ", "),
                                 fmt::join(sample.sizes(), ", ")));
  if (class_labels.defined() != static_cast<bool>(class_embedding_))
    throw ShapeError(class_embedding_
                         ? "mlp: expected class_labels, as the network is conditioned on them, got none"
                         : "mlp: expected no class_labels, as the network is not conditioned on them");
  auto time = time_embedding_->forward(
      time_proj_->forward(timestep.reshape({-1}).expand({B})).to(sample.scalar_type()));
  if (class_embedding_) check_class_labels("mlp", class_labels, B, *options_.num_class_embeds);
  if (class_embedding_) time = time + at::embedding(class_embedding_->weight, class_labels);
  time = row_wise::silu(time);                          // [B, hidden]
  auto h = proj_in_->forward(sample.reshape({B, -1}));  // [B, hidden]
  for (const auto& block : blocks_) {
    const auto inner = block.linear_1->forward(row_wise::silu(h)) + block.time_emb_proj->forward(time);
    h = h + block.linear_2->forward(row_wise::silu(inner));
  }
  return proj_out_->forward(row_wise::silu(h)).view(sample.sizes());
}

Json Mlp::ecosystem_config() const {
  Json config = dump(options_);
  config["_class_name"] = "Mlp";
  return config;
}

std::shared_ptr<DenoisingNetwork> make_mlp(const MlpOptions& options, const NetworkContext& context) {
  MlpOptions filled = options;
  auto shape = context.shape;
  OptionMistakes mistakes;
  if (!shape.empty()) {
    const int64_t features = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    if (filled.in_features && *filled.in_features != features)
      mistakes.add("/in_features", fmt::format("expected {}, as the data have, or null, got {}", features,
                                               *filled.in_features));
    filled.in_features = features;
    fit_num_class_embeds(filled.num_class_embeds, context.num_classes, mistakes);
  }
  if (!filled.in_features)
    mistakes.add("/in_features", "expected an integer, as there are no data to take it from, got null");
  mistakes.throw_if_any();
  if (shape.empty()) shape = {*filled.in_features};
  return std::make_shared<Mlp>(filled, std::move(shape));
}

}  // namespace gen
