// A small config of every registered model family, and batches of data for it.
#pragma once

#include <torch/torch.h>

#include "gen/config/load.h"
#include "gen/models/model.h"
#include "support/data_specs.h"

namespace gen::model_contract {

using test::images;
using test::points;

struct ModelCase {
  std::string name;  ///< of the case: the type and what is particular
  DataSpec data;
  std::string config;            ///< of the model, as JSON
  std::string sampler = "null";  ///< of kind samplers(), as JSON
  bool conditional = false;      ///< samples are asked for with labels
  double learning_rate = 3e-3;
  int64_t steps = 60;  ///< in which one batch is overfit
};

inline void PrintTo(const ModelCase& c, std::ostream* out) { *out << c.name; }

inline std::vector<ModelCase> model_cases() {
  return {
      {"vae_mlp_bernoulli", images(1, 8),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "mlp", "hidden_sizes": [32]}})", "null", false,
       2e-2, 500},
      {"vae_mlp_importance_weighted", images(1, 8),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "mlp", "hidden_sizes": [32], "activation": "tanh"},
           "likelihood": {"type": "bernoulli", "binarization": "static"}, "importance_samples": 5})"},
      {"vae_conv_discretized_logistic", images(3, 9),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "conv", "channels": [8, 16], "hidden_size": 32},
           "likelihood": {"type": "discretized_logistic"}, "free_bits": 0.1})"},
      {"vae_conv_gaussian", images(1, 8),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "conv", "channels": [8], "hidden_size": 32},
           "decoder": {"type": "mlp", "hidden_sizes": [32]}, "likelihood": {"type": "gaussian"},
           "beta": 0.5, "beta_warmup_steps": 10})"},
      {"vae_points", points(2),
       R"({"type": "vae", "latent_dim": 2, "encoder": {"type": "mlp", "hidden_sizes": [32]},
           "likelihood": {"type": "gaussian", "variance": "per_dimension", "stddev": 1}})"},
      {"diffusion_unet2d", images(1, 8),
       R"({"type": "diffusion", "network": {"type": "unet2d", "block_out_channels": [8, 16],
           "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
           "layers_per_block": 1, "norm_num_groups": 4}})",
       R"({"type": "ddim", "steps": 4})"},
      {"diffusion_unet2d_conditional", images(3, 8, 4),
       R"({"type": "diffusion", "network": {"type": "unet2d", "block_out_channels": [8],
           "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "layers_per_block": 1,
           "norm_num_groups": 4}, "noise_schedule": {"type": "cosine"}, "prediction_type": "v_prediction",
           "conditional": true})",
       R"({"type": "ddpm", "steps": 4})", true},
      {"diffusion_unet2d_of_larger_images", images(3, 32),
       R"({"type": "diffusion", "network": {"type": "unet2d", "block_out_channels": [16, 32],
           "down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
           "layers_per_block": 1, "norm_num_groups": 8}, "prediction_type": "sample"})",
       R"({"type": "ddim", "steps": 1})", false, 3e-3, 15},
      {"vae_conv_of_larger_images", images(3, 32),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "conv", "channels": [32, 64], "hidden_size": 64,
           "activation": "silu"}, "likelihood": {"type": "gaussian"}})"},
      {"diffusion_mlp_points", points(2),
       R"({"type": "diffusion", "network": {"type": "mlp", "hidden_size": 32, "num_layers": 2},
           "noise_schedule": {"type": "linear", "num_train_timesteps": 100, "beta_end": 0.1},
           "prediction_type": "sample"})",
       R"({"type": "ddpm", "steps": 20})"},
      {"flow_realnvp", images(1, 8),
       R"({"type": "flow", "logit_alpha": 0.05, "architecture": {"type": "realnvp", "couplings": 2,
           "network": {"type": "resnet", "hidden_channels": 8, "num_blocks": 1}}})",
       "null", false, 1e-2},
      {"flow_realnvp_conditional_batch_norm", images(3, 4, 4),
       R"({"type": "flow", "logit_alpha": 0.05, "conditional": true, "architecture": {"type": "realnvp",
           "num_scales": 1, "couplings": 2, "norm": "batch_norm",
           "network": {"type": "resnet", "hidden_channels": 8, "num_blocks": 1}}})",
       "null", true, 1e-2},
      {"flow_nice", images(1, 8),
       R"({"type": "flow", "prior": "logistic", "architecture": {"type": "nice", "hidden_sizes": [32, 32]}})",
       "null", false, 2e-2, 100},
      {"flow_points", points(2),
       R"({"type": "flow", "architecture": {"type": "realnvp", "couplings": 4,
           "network": {"type": "mlp", "hidden_sizes": [32]}}})",
       "null", false, 1e-2},
      {"flow_sequence", points(3),
       R"({"type": "flow", "architecture": {"type": "sequence", "bijectors": [{"type": "actnorm"},
           {"type": "affine_coupling"}, {"type": "permutation"}, {"type": "affine_coupling", "swap": true}]}})",
       "null", false, 1e-2},
  };
}

struct ModelSection {
  Component model;
  void visit(OptionVisitor& v) { v.component("model", model, models(), "the model", {.required = true}); }
};

template <class Section>
Section section_from(const std::string& text, const std::string& name) {
  Issues issues;
  Section section;
  const auto document = Document::parse(text, name, issues);
  load(document, section, issues);
  issues.throw_if_any();
  return section;
}

inline ModelSection model_section(const ModelCase& c) {
  return section_from<ModelSection>(R"({"model": )" + c.config + "}", c.name);
}

inline std::unique_ptr<Model> build(const ModelCase& c, uint64_t seed = 1) {
  seed_default_generators(derive_seed(seed, Stream::init));
  return models().make(model_section(c).model, c.data);
}

/// Eight different examples with some structure.
inline Batch make_batch(const DataSpec& data) {
  constexpr int64_t kExamples = 8;
  Batch batch;
  const auto example = at::arange(kExamples, at::kFloat).view({-1, 1});
  const auto dim = at::arange(data.dims(), at::kFloat).view({1, -1});
  std::vector<int64_t> shape{kExamples};
  shape.insert(shape.end(), data.shape.begin(), data.shape.end());
  const auto wave = (0.3 * dim + 1.7 * example * (dim + 1)).sin().view(shape);
  batch.x = data.kind == DataKind::images ? (127.5 + 127.5 * wave).round() / 255 : 0.5 * wave + 1;
  if (data.num_classes > 0) batch.label = at::arange(kExamples).remainder(data.num_classes);
  for (int64_t i = 0; i < kExamples; ++i) batch.indices.push_back(i);
  return batch;
}

inline void initialize(Model& model, const Batch& batch) {
  Rng rng(derive_seed(1, Stream::data_init));
  model.initialize(batch, rng);
}

}  // namespace gen::model_contract
