#include "models/flow/flow.h"

#include <cmath>
#include <numbers>

#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/check.h"
#include "gen/nn/named_inputs.h"

namespace gen::flow {
namespace {

void check_data(const FlowOptions& options, const DataSpec& data, OptionMistakes& mistakes) {
  if (data.kind == DataKind::points && options.logit_alpha)
    mistakes.add("/logit_alpha", fmt::format("expected null for points, got {} (it maps pixels to the line)",
                                             *options.logit_alpha));
  if (options.conditional && data.num_classes == 0)
    mistakes.add("/conditional", "expected false for data without class labels, got true");
}

}  // namespace

void FlowOptions::visit(OptionVisitor& v) {
  v.component("architecture", architecture, flow_architectures(), "what the flow is made of",
              {.required = true});
  v.choice("prior", prior,
           std::array{std::pair{"gaussian", PriorKind::gaussian}, std::pair{"logistic", PriorKind::logistic}},
           "density of the latents");
  v.field("logit_alpha", logit_alpha,
          "images: map pixels y to logit(alpha + (1 - 2 alpha) y) first (RealNVP takes 0.05); null: no map",
          {.min = 0, .max = 0.5, .exclusive_min = true, .exclusive_max = true});
  v.field("conditional", conditional, "condition every coupling on the label");
}

Flow::Flow(const FlowOptions& options, const DataSpec& data) : options_(options), data_(data) {
  OptionMistakes mistakes;
  check_data(options, data, mistakes);
  if (options.logit_alpha) logit_.emplace(LogitOptions{*options.logit_alpha});
  const BijectorContext context{.shape = data.shape,
                                .context_dim = options.conditional ? data.num_classes : 0};
  mistakes.gather("/architecture", [&] { flow_ = flow_architectures().make(options.architecture, context); });
  mistakes.throw_if_any();
}

Condition Flow::condition(const at::Tensor& label, const at::Tensor& x) const {
  if (!options_.conditional) return {};
  if (!label.defined()) throw DataError("flow: the model is conditional, but the batch has no labels");
  return {at::one_hot(label, data_.num_classes).to(x.scalar_type())};
}

at::Tensor Flow::dequantize(const at::Tensor& x, Rng& rng) const {
  if (!images()) return x;
  const auto n = static_cast<double>(data_.levels);
  return (x * (n - 1.0) + rng.uniform(x.sizes(), x.scalar_type())) / n;
}

MultiScale::Encoded Flow::encode(const at::Tensor& y, const Condition& condition) {
  if (!logit_) return flow_->encode(y, condition);
  const auto mapped = logit_->forward(y, {});
  auto encoded = flow_->encode(mapped.y, condition);
  encoded.log_det = encoded.log_det + mapped.log_det;
  return encoded;
}

at::Tensor Flow::log_prob(const MultiScale::Encoded& encoded) const {
  auto total = encoded.log_det;
  for (const auto& z : encoded.latents) total = total + flow::log_prob(options_.prior, z);
  return total;
}

LossTerms Flow::loss(const Batch& batch, const StepContext& context) {
  const auto y = dequantize(batch.x, context.rng);
  const auto nll = -log_prob(encode(y, condition(batch.label, y))).mean();
  if (!images()) return {nll, {{"nll", nll.detach()}}};
  const double nats_per_bit_per_dim = static_cast<double>(data_.dims()) * std::numbers::ln2;
  const auto bits_per_dim = nll / nats_per_bit_per_dim + std::log2(static_cast<double>(data_.levels));
  return {bits_per_dim, {{"nll", nll.detach()}, {"bits_per_dim", bits_per_dim.detach()}}};
}

void Flow::initialize(const Batch& batch, Rng& rng) {
  torch::NoGradGuard no_grad;
  const auto y = dequantize(batch.x, rng);
  const auto c = condition(batch.label, y);
  flow_->initialize(logit_ ? logit_->forward(y, {}).y : y, c);
}

Samples Flow::sample(const SampleRequest& request) {
  at::InferenceMode inference;
  check_sampling(request, at::kFloat);
  SampleRng rng(request.seed, request.first_index, request.count, request.device);
  std::vector<at::Tensor> latents;
  for (const auto& shape : flow_->latent_shapes())
    latents.push_back(draw(options_.prior, shape, rng, request.temperature));
  Samples samples;
  samples.evaluations = 1;
  samples.label = labels_for(request, options_.conditional ? data_.num_classes : 0);
  auto y = flow_->decode(latents, condition(samples.label, latents[0]));
  if (logit_) y = logit_->inverse(y, {}).y;
  const auto n = static_cast<double>(data_.levels);
  // The middle of the dequantised interval, so that rounding to a level undoes dequantize().
  samples.x = images() ? (y * n - 0.5) / (n - 1.0) : y;
  return samples;
}

TensorMap Flow::forward_named(const TensorMap& inputs) {
  torch::NoGradGuard no_grad;
  const auto x = inputs.find("x");
  const auto label = inputs.find("label");
  if (x == inputs.end() || (options_.conditional && label == inputs.end()))
    throw DataError(fmt::format("expected the tensor{} x [B, {}]{}, got {}", options_.conditional ? "s" : "",
                                fmt::join(data_.shape, ", "), options_.conditional ? " and label [B]" : "",
                                names_of(inputs)));
  const auto y = examples_input("x", x->second, data_.shape, flow_->parameters().front().scalar_type());
  at::Tensor labels;
  if (options_.conditional) labels = classes_input("label", label->second, y.size(0), data_.num_classes);
  const auto encoded = encode(y, condition(labels, y));
  TensorMap outputs{{"log_det", encoded.log_det}, {"log_prob", log_prob(encoded)}};
  for (size_t l = 0; l < encoded.latents.size(); ++l) outputs["z" + std::to_string(l)] = encoded.latents[l];
  return outputs;
}

Likelihood::Result Flow::log_likelihood(const Batch& batch, const Likelihood::Options& options, Rng& rng) {
  at::InferenceMode inference;
  const auto c = condition(batch.label, batch.x);
  const std::string given = options_.conditional ? kGivenLabels : "";
  if (!images())
    return {log_prob(encode(batch.x, c)), true, std::nullopt, "exact log-density; nothing is drawn" + given};
  std::vector<at::Tensor> draws;
  for (int64_t k = 0; k < options.importance_samples; ++k)
    draws.push_back(log_prob(encode(dequantize(batch.x, rng), c)));
  const auto k = options.importance_samples;
  const auto log_mean = at::logsumexp(at::stack(draws), 0) - std::log(static_cast<double>(k));
  return {log_mean, /*exact=*/false, std::log2(static_cast<double>(data_.levels)),
          fmt::format(
              "density of pixels dequantised to [0, 1) by {} of uniform noise, which bounds the probability "
              "of their levels",
              k == 1 ? "one draw" : fmt::format("{} draws, averaged as densities,", k)) +
              given};
}

std::unique_ptr<Model> make_flow(const FlowOptions& options, const DataSpec& data) {
  return std::make_unique<Flow>(options, data);
}

}  // namespace gen::flow
