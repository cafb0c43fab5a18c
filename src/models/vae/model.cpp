#include "models/vae/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "gen/config/option_error.h"
#include "gen/core/check.h"
#include "gen/nn/named_inputs.h"
#include "models/vae/bound.h"
#include "models/vae/coder.h"
#include "models/vae/observation.h"

namespace gen::vae {
namespace {

// Decoder outputs held at once while the importance-weighted bound is estimated: 16 MiB of float32.
constexpr int64_t kMaxDecodedElements = int64_t{1} << 22;

/// Bounds are computed in float32 at least, whatever the precision of the networks.
at::Tensor at_least_float32(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf ? x.to(at::kFloat) : x;
}

class VaeModule final : public torch::nn::Module {
 public:
  VaeModule(const VaeOptions& options, const DataSpec& data) {
    const auto& decoder_choice = options.decoder ? options.decoder : options.encoder;
    OptionMistakes mistakes;
    mistakes.gather("/encoder", [&] {
      encoder = coders().make(options.encoder, {Side::encoder, data.shape, 2 * options.latent_dim});
    });
    mistakes.gather("/likelihood",
                    [&] { observation = observation_models().make(options.likelihood, data); });
    // The mirror of an encoder that cannot be is told once; a decoder's width is the likelihood's to say.
    const bool broken = !mistakes.empty();
    if (!broken || (options.decoder && observation)) {
      auto out_shape = data.shape;
      out_shape[0] *= observation->num_parameters();
      mistakes.gather("/decoder", [&] {
        decoder = coders().make(decoder_choice, {Side::decoder, out_shape, options.latent_dim});
      });
    }
    mistakes.throw_if_any();
    register_module("encoder", encoder);
    register_module("likelihood", observation);
    register_module("decoder", decoder);
  }
  std::shared_ptr<Coder> encoder, decoder;
  std::shared_ptr<ObservationModel> observation;
};

class Vae final : public Model, public Likelihood, public Variational, public Autoencoder {
 public:
  Vae(const VaeOptions& options, const DataSpec& data)
      : options_(options), data_(data), net_(std::make_shared<VaeModule>(options, data)) {}

  torch::nn::Module& module() override { return *net_; }
  void initialize(const Batch& batch, Rng& rng) override;
  LossTerms loss(const Batch& batch, const StepContext& context) override;
  Samples sample(const SampleRequest& request) override;
  TensorMap forward_named(const TensorMap& inputs) override;

  gen::Likelihood* likelihood() override { return net_->observation->is_likelihood() ? this : nullptr; }
  Variational* variational() override { return this; }
  Autoencoder* autoencoder() override { return this; }
  bool has_bits_per_dim() const override { return net_->observation->bits_offset().has_value(); }
  Result log_likelihood(const Batch& batch, const Options& options, Rng& rng) override;
  std::vector<std::pair<std::string, at::Tensor>> elbo_terms(const Batch& batch, Rng& rng) override;
  std::string elbo_protocol() const override {
    return net_->observation->protocol() + "; the KL in closed form";
  }
  at::Tensor reconstruct(const at::Tensor& x) override;
  std::string reconstruction_protocol() const override {
    return net_->observation->expected_target_protocol();
  }
  at::Tensor interpolate(const at::Tensor& x0, const at::Tensor& x1, int64_t steps) override;

 private:
  /// A draw of z ~ q(z | x) with log p(x | z): all that a bound is made of.
  struct Draw {
    at::Tensor z, noise, reconstruction;  // [K, B, L], [K, B, L], [K, B]
  };

  Posterior encode(const at::Tensor& target) const {
    const auto code = at_least_float32(net_->encoder->forward(net_->observation->encoder_input(target)));
    const auto halves = code.chunk(2, 1);  // [B, L] each
    return {halves[0], halves[1].clamp(options_.log_variance_min, options_.log_variance_max)};
  }
  /// z [..., L] -> the likelihood's parameters [..., P * C, *rest].
  at::Tensor decode(const at::Tensor& z) const {
    const auto out = at_least_float32(net_->decoder->forward(z.flatten(0, -2)));
    return out.unflatten(0, z.sizes().slice(0, z.sizes().size() - 1));
  }
  at::Tensor decode_mean(const at::Tensor& z) const { return net_->observation->mean(decode(z)); }
  Draw draw(const Posterior& q, const at::Tensor& target, int64_t count, Rng& rng) const {
    const auto noise =
        rng.normal({count, q.mean.size(0), q.mean.size(1)}, q.mean.scalar_type()).to(q.mean.device());
    const auto z = reparameterize(q, noise);
    return {z, noise, net_->observation->log_prob(decode(z), target)};
  }

  VaeOptions options_;
  DataSpec data_;
  std::shared_ptr<VaeModule> net_;
};

void Vae::initialize(const Batch& batch, Rng&) {
  if (!options_.data_bias_init) return;
  torch::NoGradGuard no_grad;
  net_->decoder->set_output_bias(net_->observation->initial_output(batch.x));
}

LossTerms Vae::loss(const Batch& batch, const StepContext& context) {
  const auto target = net_->observation->target(batch, context.rng);
  const auto q = encode(target);
  const auto d = draw(q, target, options_.importance_samples, context.rng);
  const auto kl = kl_divergence(q);  // [B, L]
  LossTerms result;
  at::Tensor elbo;
  if (options_.importance_samples == 1) {
    const double beta =
        options_.beta * (context.training ? warmup_factor(context.step, options_.beta_warmup_steps) : 1);
    result.total = beta * free_bits_kl(kl, options_.free_bits) - d.reconstruction.mean();
    elbo = d.reconstruction.detach().mean() - kl.detach().sum(1).mean();
  } else {
    const auto log_weights = d.reconstruction + log_prior_ratio(q, d.z, d.noise);  // [K, B]
    result.total = -importance_bound(log_weights).mean();
    elbo = log_weights.detach().mean();
  }
  // Burda et al. 2016, section 5: a dimension is active where its posterior mean varies over the data.
  const auto variance = q.mean.detach().var(0, /*unbiased=*/false);
  const auto active = (variance.gt(0.01) + 0 * variance).sum();  // NaN where the means are, not 0
  result.terms = {{"elbo", elbo},
                  {"reconstruction", d.reconstruction.detach().mean()},
                  {"kl", kl.detach().sum(1).mean()},
                  {"active_units", active}};
  return result;
}

Samples Vae::sample(const SampleRequest& request) {
  check_sampling(request, at::kFloat);
  labels_for(request, /*num_classes=*/0);
  torch::NoGradGuard no_grad;
  SampleRng rng(request.seed, request.first_index, request.count, request.device);
  Samples samples;
  samples.x = decode_mean(request.temperature * rng.normal({options_.latent_dim}));
  samples.evaluations = 1;
  if (request.progress) request.progress(1, 1);
  return samples;
}

TensorMap Vae::forward_named(const TensorMap& inputs) {
  torch::NoGradGuard no_grad;
  const auto dtype = net_->parameters().front().scalar_type();
  if (inputs.size() == 1 && inputs.contains("x")) {
    const auto q =
        encode(net_->observation->expected_target(examples_input("x", inputs.at("x"), data_.shape, dtype)));
    return {{"mean", q.mean}, {"log_variance", q.log_variance}, {"reconstruction", decode_mean(q.mean)}};
  }
  if (inputs.size() == 1 && inputs.contains("z"))
    return {{"x", decode_mean(examples_input("z", inputs.at("z"), {options_.latent_dim}, dtype))}};
  throw DataError(fmt::format("expected one tensor, x [B, {}] or z [B, {}], got {}",
                              fmt::join(data_.shape, ", "), options_.latent_dim, names_of(inputs)));
}

gen::Likelihood::Result Vae::log_likelihood(const Batch& batch, const Options& options, Rng& rng) {
  torch::NoGradGuard no_grad;
  const auto target = net_->observation->target(batch, rng);
  const auto q = encode(target);
  const int64_t outputs = batch.x.numel() * net_->observation->num_parameters();
  const int64_t chunk = std::max<int64_t>(1, kMaxDecodedElements / outputs);
  std::vector<at::Tensor> log_weights;
  for (int64_t done = 0; done < options.importance_samples; done += chunk) {
    const auto d = draw(q, target, std::min(chunk, options.importance_samples - done), rng);
    log_weights.push_back(d.reconstruction + log_prior_ratio(q, d.z, d.noise));
  }
  Result result;
  result.log_prob = importance_bound(at::cat(log_weights));
  result.bits_offset = net_->observation->bits_offset();
  result.protocol = fmt::format("{}; importance-weighted bound (Burda et al. 2016) with k = {}",
                                net_->observation->protocol(), options.importance_samples);
  return result;
}

std::vector<std::pair<std::string, at::Tensor>> Vae::elbo_terms(const Batch& batch, Rng& rng) {
  torch::NoGradGuard no_grad;
  const auto target = net_->observation->target(batch, rng);
  const auto q = encode(target);
  const auto reconstruction = draw(q, target, 1, rng).reconstruction.squeeze(0);  // [B]
  const auto kl = kl_divergence(q).sum(1);
  return {{"elbo", reconstruction - kl}, {"reconstruction", reconstruction}, {"kl", kl}};
}

at::Tensor Vae::reconstruct(const at::Tensor& x) {
  torch::NoGradGuard no_grad;
  return decode_mean(encode(net_->observation->expected_target(x)).mean);
}

at::Tensor Vae::interpolate(const at::Tensor& x0, const at::Tensor& x1, int64_t steps) {
  torch::NoGradGuard no_grad;
  const auto z0 = encode(net_->observation->expected_target(x0)).mean;
  const auto z1 = encode(net_->observation->expected_target(x1)).mean;
  const auto weight = at::linspace(0, 1, steps, z0.options()).unsqueeze(-1);  // [steps, 1]
  return decode_mean(at::lerp(z0.unsqueeze(1), z1.unsqueeze(1), weight));     // [B, steps, *shape]
}

}  // namespace

std::unique_ptr<Model> make_vae(const VaeOptions& options, const DataSpec& data) {
  return std::make_unique<Vae>(options, data);
}

}  // namespace gen::vae
