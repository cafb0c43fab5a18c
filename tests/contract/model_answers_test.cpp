// What models answer when they are asked: which samples they can draw, and their capabilities for each example.
#include <gtest/gtest.h>

#include "gen/config/option_error.h"
#include "gen/diffusion/sampler.h"
#include "model_cases.h"
#include "support/support.h"

namespace gen {
namespace {

using namespace model_contract;

class ModelAnswers : public testing::TestWithParam<ModelCase> {
 protected:
  const ModelCase& c() const { return GetParam(); }
};

TEST_P(ModelAnswers, SaysBeforeDrawingWhatItCannotHonour) {
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

TEST_P(ModelAnswers, SamplesWithoutLabelsGoThroughTheClassesInTurn) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  initialize(*model, batch);
  model->module().eval();
  SampleRequest request;
  request.count = 3;
  request.first_index = 3;
  const auto label = model->sample(request).label;
  EXPECT_EQ(label.defined(), c().conditional);
  if (label.defined()) EXPECT_TRUE(at::equal(label, at::arange(3, 6).remainder(c().data.num_classes)));
}

TEST_P(ModelAnswers, CapabilitiesAnswerForEachExample) {
  const auto model = build(c());
  const auto batch = make_batch(c().data);
  initialize(*model, batch);
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

INSTANTIATE_TEST_SUITE_P(Each, ModelAnswers, testing::ValuesIn(model_cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace gen
