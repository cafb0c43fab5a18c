// What every registered model family must do, on small configs of it: a type without a case here fails.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "gen/diffusion/sampler.h"
#include "gen/nn/network.h"
#include "model_cases.h"
#include "support/support.h"

namespace gen {
namespace {

using namespace model_contract;

struct SamplerSection {
  Component sampler;
  void visit(OptionVisitor& v) { v.component("sampler", sampler, samplers(), "the sampler"); }
};

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
  initialize(*model, batch);
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
  initialize(*model, batch);
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
  initialize(*model, batch);
  EXPECT_EQ(loss_at(*model, batch, 0, 5).item<double>(), loss_at(*model, batch, 0, 5).item<double>());
}

TEST_P(ModelContract, EveryParameterGetsAGradient) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  initialize(*model, batch);
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
  initialize(*model, batch);
  model->module().train();
  const double before = mean_loss(*model, batch, c().steps);
  fit(*model, batch, c(), c().steps);
  const double after = mean_loss(*model, batch, c().steps);
  EXPECT_LT(after, before - 0.1 * std::abs(before)) << "before " << before;
}

TEST_P(ModelContract, SavedStateGivesTheSameOutput) {
  const auto model = build(c(), 1);
  const auto batch = make_batch(c().data);
  initialize(*model, batch);
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
  initialize(*model, batch);
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
    initialize(*model, batch);
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
    initialize(*model, batch);
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

INSTANTIATE_TEST_SUITE_P(Each, ModelContract, testing::ValuesIn(model_cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace gen
