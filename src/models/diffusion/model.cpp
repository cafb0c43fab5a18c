#include "models/diffusion/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gen/config/option_error.h"
#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/diffusion/finite_watch.h"
#include "gen/nn/row_wise.h"
#include "models/diffusion/bound.h"

namespace gen {
namespace {

// A [B] tensor shaped to broadcast over [B, *shape] of `like`.
at::Tensor per_example(const at::Tensor& values, const at::Tensor& like) {
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape);
}

at::Tensor table(const NoiseSchedule& schedule, double (NoiseSchedule::*value)(double) const) {
  auto values = torch::empty({schedule.num_timesteps()}, at::kDouble);
  for (int64_t t = 0; t < schedule.num_timesteps(); ++t)
    values.data_ptr<double>()[t] = (schedule.*value)(static_cast<double>(t));
  return values.to(at::kFloat);  // [T]
}

// Evaluation mode for a while, where a module was training (its dropout would disturb samples).
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) {
    if (was_training_) module_.eval();
  }
  ~EvaluationMode() {
    if (was_training_) module_.train();
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

class NetworkDenoiser final : public Denoiser {
 public:
  NetworkDenoiser(DenoisingNetwork& network, const NoiseSchedule& schedule, PredictionType type,
                  at::Tensor labels, std::optional<double> data_bound)
      : network_(network),
        schedule_(schedule),
        type_(type),
        labels_(std::move(labels)),
        data_bound_(data_bound) {}

  at::Tensor operator()(const at::Tensor& x, double t) override {
    const auto c = preconditioning(type_, schedule_, t);
    const auto time = torch::full({x.size(0)}, c.c_noise, x.options());
    const auto output = network_.forward(c.c_in == 1 ? x : x * c.c_in, time, labels_).to(x.scalar_type());
    return c.c_skip == 0 ? output * c.c_out : (x * c.c_skip).add_(output, c.c_out);
  }
  std::optional<double> data_bound() const override { return data_bound_; }

 private:
  DenoisingNetwork& network_;
  const NoiseSchedule& schedule_;
  PredictionType type_;
  at::Tensor labels_;
  std::optional<double> data_bound_;
};

}  // namespace

void DiffusionOptions::visit(OptionVisitor& v) {
  v.component("network", network, networks(), "the network that denoises", {.required = true});
  v.component("noise_schedule", noise_schedule, noise_schedules(), "signal and noise at each timestep",
              {.required = true});
  v.choice("prediction_type", prediction_type, kPredictionTypes,
           "what the network predicts: the noise, the clean data, or the velocity (Salimans & Ho 2022)");
  v.field("conditional", conditional, "condition on the class label");
}

std::unique_ptr<Model> make_diffusion(const DiffusionOptions& options, const DataSpec& data) {
  OptionMistakes mistakes;
  if (options.conditional && data.num_classes == 0)
    mistakes.add("/conditional", "expected false for data without class labels, got true");
  auto noise_schedule = noise_schedules().make(options.noise_schedule);
  std::shared_ptr<DenoisingNetwork> network;
  mistakes.gather("/network", [&] {
    network = networks().make(options.network, {.shape = data.shape,
                                                .num_classes = options.conditional ? data.num_classes : 0,
                                                .num_timesteps = noise_schedule->num_timesteps()});
  });
  mistakes.throw_if_any();
  return std::make_unique<DiffusionModel>(data, std::move(network), std::move(noise_schedule),
                                          options.prediction_type, options.conditional);
}

DiffusionModel::DiffusionModel(const DataSpec& data, std::shared_ptr<DenoisingNetwork> network,
                               std::unique_ptr<NoiseSchedule> noise_schedule, PredictionType prediction_type,
                               bool conditional)
    : data_(data),
      network_(std::move(network)),
      noise_schedule_(std::move(noise_schedule)),
      prediction_type_(prediction_type),
      conditional_(conditional),
      alpha_(table(*noise_schedule_, &NoiseSchedule::alpha)),
      sigma_(table(*noise_schedule_, &NoiseSchedule::sigma)) {
  GEN_CHECK(!conditional_ || data_.num_classes > 0, "conditional on the labels of unlabelled data");
}

LossTerms DiffusionModel::loss(const Batch& batch, const StepContext& context) {
  const auto x0 = in_range(batch);
  const auto t = context.rng.integers(0, noise_schedule_->num_timesteps(), {batch.size()}).to(x0.device());
  const auto noise = context.rng.normal(x0.sizes()).to(x0.device());
  const auto mse = loss_at(x0, labels_of(batch), t, noise);
  return {.total = mse, .terms = {{"mse", mse.detach()}}};
}

at::Tensor DiffusionModel::loss_at(const at::Tensor& x0, const at::Tensor& labels, const at::Tensor& t,
                                   const at::Tensor& noise) {
  const auto [alpha, sigma] = signal_and_noise(t, x0);
  const auto x_t = alpha * x0 + sigma * noise;  // Ho et al. 2020, eq. 4
  const auto output = network_->forward(x_t, t, labels).to(x0.scalar_type());
  const auto error =
      at::mse_loss(output, prediction_target(prediction_type_, x0, noise, alpha, sigma), at::Reduction::None);
  return row_wise::sum_of_each(error).mean() / static_cast<double>(x0.numel() / x0.size(0));
}

at::Tensor DiffusionModel::in_range(const Batch& batch) const {
  return data_.kind == DataKind::images ? batch.x * 2 - 1 : batch.x;
}

at::Tensor DiffusionModel::labels_of(const Batch& batch) const {
  if (!conditional_) return {};
  if (!batch.label.defined())
    throw DataError("the model is conditional but the batch has no labels (set model.conditional to false)");
  return batch.label;
}

std::pair<at::Tensor, at::Tensor> DiffusionModel::signal_and_noise(const at::Tensor& t,
                                                                   const at::Tensor& like) {
  if (alpha_.device() != like.device()) {
    alpha_ = alpha_.to(like.device());
    sigma_ = sigma_.to(like.device());
  }
  return {per_example(alpha_.index_select(0, t), like), per_example(sigma_.index_select(0, t), like)};
}

DiffusionModel::Bound DiffusionModel::bound(const Batch& batch, int64_t times, Rng& rng) {
  const torch::NoGradGuard no_grad;
  const EvaluationMode evaluation(*network_);
  const bool images = data_.kind == DataKind::images;
  const auto x0 = in_range(batch), labels = labels_of(batch);
  const int64_t last = noise_schedule_->num_timesteps() - 1;
  const auto denoised = [&](const at::Tensor& t) {
    const auto [alpha, sigma] = signal_and_noise(t, x0);
    const auto x_t = alpha * x0 + sigma * rng.normal(x0.sizes()).to(x0.device());
    const auto output = network_->forward(x_t, t, labels).to(x0.scalar_type());
    // In double: where the noise is predicted, x0 is its error times 1 / alpha, whose square float32 may not hold.
    const auto x = predicted_data(prediction_type_, output.to(at::kDouble), x_t.to(at::kDouble),
                                  alpha.to(at::kDouble), sigma.to(at::kDouble));
    return images ? x.clamp(-1, 1) : x;
  };
  Bound result;
  result.reconstruction =
      decoder_log_prob(x0, denoised(torch::zeros({batch.size()}, at::kLong).to(x0.device())),
                       decoder_deviation(*noise_schedule_), images ? data_.levels : 0);
  result.kl = prior_kl(x0, *noise_schedule_);
  result.kl_low_noise = at::zeros_like(result.kl);
  const int64_t last_low_noise = std::max<int64_t>(1, last / 100);
  const auto probabilities = time_probabilities(*noise_schedule_);
  const auto ends = probabilities.cumsum(0);  // of each time's share of [0, 1)
  const auto weights = (kl_weights(*noise_schedule_) / probabilities.clamp_min(1e-300));
  // One time from each of `times` equal parts of [0, 1): unbiased, with less variance than independent ones.
  for (int64_t k = 0; k < times && last > 0; ++k) {
    const auto part = (rng.uniform({batch.size()}, at::kDouble).cpu() + static_cast<double>(k)) /
                      static_cast<double>(times);
    const auto t = at::searchsorted(ends, part, /*out_int32=*/false, /*right=*/true).clamp(1, last);
    const auto error = row_wise::sum_of_each((x0 - denoised(t.to(x0.device()))).square());
    const auto term = weights.index_select(0, t).to(x0.device()) * error / static_cast<double>(times);
    result.kl = result.kl + term;
    result.kl_low_noise = result.kl_low_noise + term * t.le(last_low_noise).to(term.options());
  }
  return result;
}

Likelihood::Result DiffusionModel::log_likelihood(const Batch& batch, const Options& options, Rng& rng) {
  const auto terms = bound(batch, options.importance_samples, rng);
  return {.log_prob = terms.reconstruction - terms.kl,
          .exact = false,
          .bits_offset = has_bits_per_dim() ? std::optional(0.0) : std::nullopt,
          .protocol = bound_protocol(options.importance_samples)};
}

std::string DiffusionModel::bound_protocol(int64_t times) const {
  auto words = fmt::format(
      "variational bound (Ho et al. 2020, eq. 5) with the posterior's variances{}, its {} KL terms "
      "estimated at {} random time{}{}",
      data_.kind == DataKind::images ? " and x0 clamped to the pixels' range" : "",
      noise_schedule_->num_timesteps() - 1, times, times == 1 ? "" : "s", conditional_ ? kGivenLabels : "");
  if (prediction_type_ == PredictionType::sample && noise_schedule_->num_timesteps() > 1)
    words += fmt::format(
        "; a network that predicts the data pays up to {:.0f} nats for each unit of squared error at the "
        "least "
        "noisy times, which its training loss hardly sees",
        kl_weights(*noise_schedule_).max().item<double>());
  if (has_bits_per_dim()) {
    const double deviation = decoder_deviation(*noise_schedule_);
    words += fmt::format(
        "; a value's probability counts as at least {:g} (Ho et al.), which decides the number where values "
        "are off "
        "by more than {:.2g} levels",
        kLeastMass, kDeviationsToLeastMass * deviation * static_cast<double>(data_.levels - 1) / 2);
  }
  return words;
}

std::vector<std::pair<std::string, at::Tensor>> DiffusionModel::elbo_terms(const Batch& batch, Rng& rng) {
  const auto terms = bound(batch, /*times=*/1, rng);
  return {{"elbo", terms.reconstruction - terms.kl},
          {"reconstruction", terms.reconstruction},
          {"kl", terms.kl},
          {"kl_low_noise", terms.kl_low_noise}};
}

Samples DiffusionModel::draw(const Sampler& sampler, const at::Tensor& x, const at::Tensor& labels,
                             const NoiseSource& noise, const StepProgress& progress) {
  const bool images = data_.kind == DataKind::images;
  const EvaluationMode evaluation(*network_);
  NetworkDenoiser network(*network_, *noise_schedule_, prediction_type_, labels,
                          images ? std::optional(1.0) : std::nullopt);
  FiniteWatch denoise(network);
  const auto x0 = [&] {
    const c10::InferenceMode inference;
    return sampler.run(denoise, *noise_schedule_, x, noise, progress);
  }();
  return {.x = images ? (x0 + 1) / 2 : x0.clone(),
          .label = labels,
          .evaluations = sampler.evaluations(*noise_schedule_),
          .first_bad_call = denoise.first_bad_call(),
          .call_times = denoise.times()};
}

Samples DiffusionModel::sample(const SampleRequest& request) {
  check_sampling(request, at::kFloat);
  const auto labels = labels_for(request, conditional_ ? data_.num_classes : 0);
  SampleRng rng(request.seed, request.first_index, request.count, request.device);
  const auto sampler = samplers().make(request.sampler ? request.sampler : default_sampler());
  const auto x = rng.normal(data_.shape);  // [N, *shape]
  return draw(*sampler, x, labels, row_noise(rng), request.progress);
}

void DiffusionModel::check_sampling(const SampleRequest& request, at::ScalarType dtype) const {
  OptionMistakes mistakes;
  if (request.sampler)
    mistakes.gather("/sampler", [&] { samplers().make(request.sampler)->check(*noise_schedule_); });
  if (request.temperature != 1)
    mistakes.add("/temperature",
                 fmt::format("expected 1, as a diffusion starts from noise of the one size that its "
                             "network has learnt, got {}",
                             request.temperature));
  if (!network_->computes_in(dtype))
    mistakes.add("/precision", "expected \"fp32\", the only one that this network computes in");
  mistakes.throw_if_any();
}

TensorMap DiffusionModel::forward_named(const TensorMap& inputs) {
  return forward_by_name(*network_, inputs);
}

Metadata DiffusionModel::weights_metadata() const {
  return {{"config", network_->ecosystem_config().dump()}};
}

}  // namespace gen
