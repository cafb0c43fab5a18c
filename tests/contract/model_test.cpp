// What every registered model family must do, on small configs of it: a type without a case here fails.
#include "gen/models/model.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "gen/config/load.h"
#include "gen/config/option_error.h"
#include "gen/diffusion/sampler.h"
#include "gen/nn/network.h"
#include "support/data_specs.h"
#include "support/support.h"

namespace gen {
namespace {

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

void PrintTo(const ModelCase& c, std::ostream* out) { *out << c.name; }

std::vector<ModelCase> model_cases() {
  return {
      {"vae_mlp_bernoulli", images(1, 8),
       R"({"type": "vae", "latent_dim": 4, "encoder": {"type": "mlp", "hidden_sizes": [32]}})", "null", false,
       2e-2},
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

struct SamplerSection {
  Component sampler;
  void visit(OptionVisitor& v) { v.component("sampler", sampler, samplers(), "the sampler"); }
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

ModelSection model_section(const ModelCase& c) {
  return section_from<ModelSection>(R"({"model": )" + c.config + "}", c.name);
}

std::unique_ptr<Model> build(const ModelCase& c, uint64_t seed = 1) {
  seed_default_generators(derive_seed(seed, Stream::init));
  return models().make(model_section(c).model, c.data);
}

/// Eight different examples with some structure.
Batch make_batch(const DataSpec& data) {
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

at::Tensor loss_at(Model& model, const Batch& batch, int64_t step, uint64_t seed, bool training = true) {
  Rng rng(derive_seed(seed, Stream::noise, static_cast<uint64_t>(step)));
  return model.loss(batch, {step, /*total_steps=*/100, training, rng}).total;
}

/// The loss, averaged over draws of its noise that are the same in every call.
double mean_loss(Model& model, const Batch& batch, int64_t step) {
  torch::NoGradGuard no_grad;
  double sum = 0;
  for (uint64_t draw = 0; draw < 8; ++draw) sum += loss_at(model, batch, step, 100 + draw).item<double>() / 8;
  return sum;
}

/// Trains on one batch; `after_backward` sees the gradients of each step.
void fit(
    Model& model, const Batch& batch, const ModelCase& c, int64_t steps,
    const std::function<void()>& after_backward = [] {}) {
  model.module().train();
  torch::optim::Adam optimizer(model.module().parameters(), torch::optim::AdamOptions(c.learning_rate));
  for (int64_t step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    loss_at(model, batch, step, 1).backward();
    after_backward();
    optimizer.step();
  }
}

at::Tensor draw(Model& model, const ModelCase& c, uint64_t seed, int64_t first, int64_t count) {
  model.module().eval();
  SampleRequest request;
  request.seed = seed;
  request.first_index = first;
  request.count = count;
  request.sampler = section_from<SamplerSection>(R"({"sampler": )" + c.sampler + "}", c.name).sampler;
  if (c.conditional) {
    request.labels.emplace();
    for (int64_t i = first; i < first + count; ++i) request.labels->push_back(i % c.data.num_classes);
  }
  return model.sample(request).x;
}

class ModelContract : public testing::TestWithParam<ModelCase> {
 protected:
  const ModelCase& c() const { return GetParam(); }
};

TEST(Models, EveryRegisteredTypeHasACase) {
  std::set<std::string> covered;
  for (const auto& c : model_cases()) covered.insert(model_section(c).model.type);
  for (const auto& type : models().types()) EXPECT_TRUE(covered.contains(type)) << "add a case for " << type;
}

TEST_P(ModelContract, ResolvedConfigIsAFixedPoint) {
  const auto resolved = dump(model_section(c())).dump();
  EXPECT_EQ(dump(section_from<ModelSection>(resolved, c().name)).dump(), resolved);
}

TEST_P(ModelContract, LossIsAFiniteScalarInTrainingAndValidation) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  for (bool training : {true, false}) {
    model->module().train(training);
    const auto loss = loss_at(*model, batch, 0, 1, training);
    EXPECT_EQ(loss.dim(), 0);
    EXPECT_TRUE(loss.isfinite().item<bool>());
  }
}

TEST_P(ModelContract, LogsFiniteScalarsWithoutGraph) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  Rng rng(1);
  for (const auto& [name, value] : model->loss(batch, {0, 100, true, rng}).terms) {
    EXPECT_EQ(value.dim(), 0) << name;
    EXPECT_TRUE(value.to(at::kDouble).isfinite().item<bool>()) << name;
    EXPECT_FALSE(value.requires_grad()) << name;
  }
}

TEST_P(ModelContract, LossIsAFunctionOfTheSeed) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  EXPECT_EQ(loss_at(*model, batch, 0, 5).item<double>(), loss_at(*model, batch, 0, 5).item<double>());
}

TEST_P(ModelContract, EveryParameterGetsAGradient) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  // Layers behind one that starts at zero get theirs a step later.
  std::map<std::string, double> largest;
  fit(*model, batch, c(), 4, [&] {
    for (const auto& item : model->module().named_parameters()) {
      ASSERT_TRUE(item.value().grad().defined()) << item.key();
      ASSERT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
      auto& value = largest[item.key()];
      value = std::max(value, item.value().grad().abs().max().item<double>());
    }
  });
  for (const auto& [name, value] : largest) EXPECT_GT(value, 0) << name;
}

TEST_P(ModelContract, OverfitsOneBatch) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  model->module().train();
  const double before = mean_loss(*model, batch, c().steps);
  fit(*model, batch, c(), c().steps);
  const double after = mean_loss(*model, batch, c().steps);
  EXPECT_LT(after, before - 0.1 * std::abs(before)) << "before " << before;
}

TEST_P(ModelContract, SavedStateGivesTheSameOutput) {
  const auto model = build(c(), 1);
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  fit(*model, batch, c(), 3);
  const auto other = build(c(), 2);
  EXPECT_GT(test::max_abs_diff(draw(*model, c(), 3, 0, 4), draw(*other, c(), 3, 0, 4)), 0);
  TensorMap state;
  for (const auto& [name, tensor] : state_of(model->module())) state[name] = tensor.clone();
  load_state(other->module(), state, "the saved state");
  EXPECT_TRUE(at::equal(draw(*model, c(), 3, 0, 4), draw(*other, c(), 3, 0, 4)));
  EXPECT_EQ(loss_at(*model, batch, 3, 1, false).item<double>(),
            loss_at(*other, batch, 3, 1, false).item<double>());
}

TEST_P(ModelContract, SamplesAreAFunctionOfSeedAndIndex) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  fit(*model, batch, c(), 3);
  const auto all = draw(*model, c(), 7, 0, 5);
  std::vector<int64_t> shape{5};
  shape.insert(shape.end(), c().data.shape.begin(), c().data.shape.end());
  ASSERT_EQ(all.sizes(), at::IntArrayRef(shape));
  EXPECT_TRUE(all.isfinite().all().item<bool>());
  EXPECT_TRUE(at::equal(all, draw(*model, c(), 7, 0, 5)));
  EXPECT_FALSE(at::equal(all, draw(*model, c(), 8, 0, 5)));
}

TEST_P(ModelContract, SamplesAreTheSameBitsForEveryBatchSize) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto model = build(c());
    const auto batch = make_batch(c().data);
    model->initialize(batch);
    fit(*model, batch, c(), 3);
    model->module().eval();
    model->prepare_inference(dtype);
    constexpr int64_t kCount = 70;  // leaves a tail for each size
    std::map<int64_t, at::Tensor> samples;
    for (const int64_t size : {1, 3, 16, 64}) {
      std::vector<at::Tensor> parts;
      for (int64_t first = 0; first < kCount; first += size)
        parts.push_back(draw(*model, c(), 7, first, std::min(size, kCount - first)));
      samples[size] = at::cat(parts);
    }
    for (const auto& [size, x] : samples)
      EXPECT_TRUE(at::equal(x, samples[64]))
          << dtype << ": in batches of " << size << " up to " << test::max_abs_diff(x, samples[64]) << " off";
  }
}

TEST_P(ModelContract, TrainsToTheSameBitsOnAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const auto trained = [&](int threads) {
    at::set_num_threads(threads);
    const auto model = build(c());
    auto batch = make_batch(c().data);
    // More elements than LibTorch leaves to one thread.
    batch.x = at::cat(std::vector<at::Tensor>(4, batch.x));
    if (batch.label.defined()) batch.label = at::cat(std::vector<at::Tensor>(4, batch.label));
    batch.indices.resize(static_cast<size_t>(batch.x.size(0)));
    std::iota(batch.indices.begin(), batch.indices.end(), int64_t{0});
    model->initialize(batch);
    fit(*model, batch, c(), 2);
    std::vector<at::Tensor> weights;
    for (const auto& [name, tensor] : state_of(model->module())) weights.push_back(tensor.clone());
    return weights;
  };
  const auto expected = trained(1);
  for (const int threads : {2, 3}) {
    const auto weights = trained(threads);
    for (size_t i = 0; i < weights.size(); ++i)
      EXPECT_TRUE(at::equal(weights[i], expected[i])) << threads << " threads, tensor " << i;
  }
  at::set_num_threads(before);
}

TEST_P(ModelContract, SaysBeforeDrawingWhatItCannotHonour) {
  const auto model = build(c());
  SampleRequest request;
  EXPECT_NO_THROW(model->check_sampling(request, at::kFloat));
  request.sampler = model->default_sampler();
  EXPECT_NO_THROW(model->check_sampling(request, at::kFloat));
  if (!request.sampler) {
    request.sampler = Component("ddim");
    samplers().resolve(request.sampler);
    EXPECT_THROW(model->check_sampling(request, at::kFloat), OptionError);
    EXPECT_THROW(model->sample(request), OptionError);
  }
}

TEST_P(ModelContract, SamplesWithoutLabelsGoThroughTheClassesInTurn) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  model->module().eval();
  SampleRequest request;
  request.count = 3;
  request.first_index = 3;
  const auto label = model->sample(request).label;
  EXPECT_EQ(label.defined(), c().conditional);
  if (label.defined()) EXPECT_TRUE(at::equal(label, at::arange(3, 6).remainder(c().data.num_classes)));
}

TEST_P(ModelContract, CapabilitiesAnswerForEachExample) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  model->initialize(batch);
  model->module().eval();
  const at::IntArrayRef each = batch.x.sizes().slice(0, 1);
  Rng rng(2);
  if (auto* likelihood = model->likelihood()) {
    const auto result = likelihood->log_likelihood(batch, {.importance_samples = 3}, rng);
    EXPECT_EQ(result.log_prob.sizes(), each);
    EXPECT_TRUE(result.log_prob.isfinite().all().item<bool>());
    EXPECT_FALSE(result.protocol.empty());
    // Only points of a tractable density are scored without a draw.
    EXPECT_EQ(result.exact, c().data.kind == DataKind::points && model->variational() == nullptr);
    if (c().data.kind == DataKind::images) {
      EXPECT_EQ(result.bits_offset.has_value(), likelihood->has_bits_per_dim());
    }
  }
  if (auto* variational = model->variational()) {
    const auto terms = variational->elbo_terms(batch, rng);
    ASSERT_GE(terms.size(), 3U);
    EXPECT_FALSE(variational->elbo_protocol().empty());
    for (const auto& [name, value] : terms) {
      EXPECT_EQ(value.sizes(), each) << name;
      EXPECT_TRUE(value.isfinite().all().item<bool>()) << name;
    }
    EXPECT_TRUE(at::allclose(terms[0].second, terms[1].second - terms[2].second));
  }
  if (auto* autoencoder = model->autoencoder()) {
    const auto y = autoencoder->reconstruct(batch.x);
    EXPECT_EQ(y.sizes(), batch.x.sizes());
    EXPECT_FALSE(autoencoder->reconstruction_protocol().empty());
    const auto line = autoencoder->interpolate(batch.x, batch.x.flip(0), 3);
    ASSERT_EQ(line.dim(), batch.x.dim() + 1);
    EXPECT_TRUE(at::allclose(line.select(1, 0), y, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(line.select(1, 2), y.flip(0), 1e-4, 1e-5));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ModelContract, testing::ValuesIn(model_cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace gen
