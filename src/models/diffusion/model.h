// Denoising diffusion in discrete time (Ho et al. 2020) behind the model interface.
#pragma once

#include <memory>

#include "gen/diffusion/noise_schedule.h"
#include "gen/diffusion/parameterization.h"
#include "gen/diffusion/sampler.h"
#include "gen/models/model.h"
#include "gen/nn/network.h"
#include "models/diffusion/options.h"

namespace gen {

/// Trains a network on x_t = alpha(t) x0 + sigma(t) e and samples through its denoiser. Inside, images lie in
/// [-1, 1]; points stay as they are. The module is the network itself, so that saved names are the
/// ecosystem's.
class DiffusionModel final : public Model, public Likelihood, public Variational {
 public:
  /// network, noise_schedule: not null; `conditional`: the data have classes.
  DiffusionModel(const DataSpec& data, std::shared_ptr<DenoisingNetwork> network,
                 std::unique_ptr<NoiseSchedule> noise_schedule, PredictionType prediction_type,
                 bool conditional);

  torch::nn::Module& module() override { return *network_; }
  /// Mean squared error at times uniform over the schedule (Ho et al. 2020, eq. 14).
  LossTerms loss(const Batch& batch, const StepContext& context) override;
  Samples sample(const SampleRequest& request) override;
  Component default_sampler() const override { return gen::default_sampler(*noise_schedule_); }
  void check_sampling(const SampleRequest& request, at::ScalarType dtype) const override;
  /// sample [B, *shape], timestep [] or [B], class_labels [B] where conditional -> out.
  TensorMap forward_named(const TensorMap& inputs) override;
  void prepare_inference(at::ScalarType dtype) override { network_->prepare_inference(dtype); }
  /// "config": the ecosystem's config of the network, as JSON.
  Metadata weights_metadata() const override;

  Likelihood* likelihood() override { return this; }
  Variational* variational() override { return this; }
  bool has_bits_per_dim() const override { return data_.kind == DataKind::images && data_.levels > 0; }
  /// The variational bound with each example's KL terms estimated at `importance_samples` random times.
  Result log_likelihood(const Batch& batch, const Options& options, Rng& rng) override;
  /// "reconstruction" is log p(x0 | x_0), "kl" the sum of all other terms, estimated at one random time; "kl_low_noise"
  /// the part of it at the least noisy hundredth of the times.
  std::vector<std::pair<std::string, at::Tensor>> elbo_terms(const Batch& batch, Rng& rng) override;
  std::string elbo_protocol() const override { return bound_protocol(/*times=*/1); }

  /// The scalar loss for clean data x0 [B, *shape] in the model's range, labels [B] or undefined, times t [B]
  /// int64 and noise like x0.
  at::Tensor loss_at(const at::Tensor& x0, const at::Tensor& labels, const at::Tensor& t,
                     const at::Tensor& noise);
  /// Walks `sampler` from the noise x [N, *shape] to data in the units of Batch::x.
  Samples draw(const Sampler& sampler, const at::Tensor& x, const at::Tensor& labels,
               const NoiseSource& noise, const StepProgress& progress);

 private:
  /// The terms of the variational bound (Ho et al. 2020, eq. 5), [B] nats each; kl_low_noise is a part of kl.
  struct Bound {
    at::Tensor reconstruction, kl, kl_low_noise;
  };
  /// In words: what `times` draws of the bound are, and why it may be far from the samples' looks.
  std::string bound_protocol(int64_t times) const;
  Bound bound(const Batch& batch, int64_t times, Rng& rng);
  /// The batch in the model's range: [-1, 1] for images.
  at::Tensor in_range(const Batch& batch) const;
  /// The labels that the network is given: undefined where it is not conditional.
  at::Tensor labels_of(const Batch& batch) const;
  /// alpha(t) and sigma(t) for times [B] int64, shaped to broadcast over `like` [B, *shape].
  std::pair<at::Tensor, at::Tensor> signal_and_noise(const at::Tensor& t, const at::Tensor& like);

  DataSpec data_;
  std::shared_ptr<DenoisingNetwork> network_;
  std::unique_ptr<NoiseSchedule> noise_schedule_;
  PredictionType prediction_type_;
  bool conditional_;
  at::Tensor alpha_, sigma_;  // [T] float32, on the device last trained on
};

std::unique_ptr<Model> make_diffusion(const DiffusionOptions& options, const DataSpec& data);

}  // namespace gen
