// The seam every family stands behind. Training, sampling and evaluation know this interface and no family.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gen/config/component.h"
#include "gen/core/rng.h"
#include "gen/data/dataset.h"
#include "gen/io/tensor_map.h"

namespace gen {

/// What loss() returns: a scalar to minimise and named scalars to log, all left on the device until printed.
struct LossTerms {
  at::Tensor total;
  std::vector<std::pair<std::string, at::Tensor>> terms;
};

/// Where training stands. All randomness of a loss comes from `rng`, which is a function of (seed, step); dropout
/// uses torch's default generators, reseeded for each step.
struct StepContext {
  int64_t step = 0;  ///< of the optimizer, from 0
  int64_t total_steps = 1;
  bool training = true;  ///< false in validation
  Rng& rng;
};

struct SampleRequest {
  int64_t count = 1;
  int64_t first_index = 0;  ///< row i is sample first_index + i of `seed`, whatever the batch
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  Component sampler;  ///< of kind samplers(); absent: the model's default
  std::optional<std::vector<int64_t>>
      labels;                ///< `count` class labels, for conditional models; see labels_for()
  double temperature = 1.0;  ///< scales the draws from the prior
  std::function<void(int64_t done, int64_t total)> progress;  ///< solver steps; may be empty
};

struct Samples {
  at::Tensor x;             ///< [N, *shape] in the units of Batch::x (images in [0, 1], not clamped)
  at::Tensor label;         ///< [N] int64, or undefined
  int64_t evaluations = 0;  ///< network calls per sample (NFE)
  /// Of iterative models: [N] int64, the network call (from 1) whose result first was not finite, 0: none; and the time
  /// of each call.
  at::Tensor first_bad_call{};
  std::vector<double> call_times{};
};

/// Throws NumericalError that says which of these samples, the first of which is number `first_index`, are not finite,
/// from which step on, and what to try. One wait for the device.
void check_finite(const Samples& samples, int64_t first_index);

/// log p(x) of data.
class Likelihood {
 public:
  virtual ~Likelihood() = default;
  struct Options {
    int64_t importance_samples =
        1;  ///< k of the IWAE bound (Burda et al. 2016), or draws of dequantisation noise
  };
  struct Result {
    at::Tensor log_prob;  ///< [B] nats
    /// log p of the data as they are; false: a lower bound of it, at least in expectation (latent variables integrated
    /// out by draws, pixels dequantised by draws of noise).
    bool exact = false;
    /// Images: what turns nats of the density of x into bits per dimension of the 8-bit data,
    /// bits_per_dim = bits_offset - log_prob / (dims ln 2). Absent for data that are not discrete levels.
    std::optional<double> bits_offset;
    std::string protocol;  ///< in words: what was binarised or dequantised, how many draws
  };
  virtual Result log_likelihood(const Batch& batch, const Options& options, Rng& rng) = 0;
  /// False where Result::bits_offset stays absent on images of discrete levels, e.g. because they were binarised.
  virtual bool has_bits_per_dim() const { return true; }
};

/// The evidence lower bound and its terms.
class Variational {
 public:
  virtual ~Variational() = default;
  /// [B] nats each: "elbo", "reconstruction" (log p(x|z)), "kl", with one posterior draw; then, where a model has them,
  /// parts of these.
  virtual std::vector<std::pair<std::string, at::Tensor>> elbo_terms(const Batch& batch, Rng& rng) = 0;
  /// In words: what "reconstruction" is the log-probability of, and how the terms are estimated.
  virtual std::string elbo_protocol() const = 0;
};

class Autoencoder {
 public:
  virtual ~Autoencoder() = default;
  /// [B, *shape] in the units of Batch::x, through the posterior's mean.
  virtual at::Tensor reconstruct(const at::Tensor& x) = 0;
  /// In words: what the encoder is given of x, and how that differs from what it was trained on.
  virtual std::string reconstruction_protocol() const = 0;
  /// `steps` decodings on the line between the codes of x0 and x1 ([B, *shape] each): [B, steps, *shape].
  virtual at::Tensor interpolate(const at::Tensor& x0, const at::Tensor& x1, int64_t steps) = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  /// Its parameters carry the ecosystem's names where it has one.
  virtual torch::nn::Module& module() = 0;
  virtual LossTerms loss(const Batch& batch, const StepContext& context) = 0;
  virtual Samples sample(const SampleRequest& request) = 0;
  /// What sample() walks with where the request names no sampler; absent for models that sample in one pass, which take
  /// none.
  virtual Component default_sampler() const { return {}; }
  /// Throws OptionError, its pointers below a config's section `sample`, with all that sample() could not honour of the
  /// request's sampler and temperature and of prepare_inference(dtype). Asked before training, so that no mistake waits
  /// for the first sample. A model that samples in one pass takes no sampler and computes in float32.
  virtual void check_sampling(const SampleRequest& request, at::ScalarType dtype) const;
  /// Data-dependent initialisation with a first batch, once, before the first step of a new run; its randomness comes from
  /// the Rng.
  virtual void initialize(const Batch&, Rng&) {}
  /// Runs the network on named tensors (`gen forward`). Throws ConfigError naming the inputs it expects.
  virtual TensorMap forward_named(const TensorMap& inputs);
  /// Called once the weights no longer change (sampling, evaluation). `dtype` is what an iterative model's network may
  /// compute in, float32 or bfloat16.
  virtual void prepare_inference(at::ScalarType /*dtype*/) {}
  /// Annotations for the model's safetensors, such as the ecosystem's config of its network.
  virtual Metadata weights_metadata() const { return {}; }

  // Capabilities: asked for, never assumed.
  virtual Likelihood* likelihood() { return nullptr; }
  virtual Variational* variational() { return nullptr; }
  virtual Autoencoder* autoencoder() { return nullptr; }
};

/// The model kind: vae, flow, diffusion. Throws OptionError, its pointers below the section `model`, with every option
/// that the data, or another option, contradict.
using ModelKind = Kind<std::unique_ptr<Model>(const DataSpec&)>;
const ModelKind& models();
/// What the protocols of conditional models add: their scores are of log p(x | label).
inline constexpr const char* kGivenLabels = "; of the data given their labels";

/// The labels [N] int64 of a request's samples, on its device, for a model conditioned on `num_classes` classes: those
/// asked for, or where none are, the classes in turn: sample i is of class i mod num_classes. Undefined for an
/// unconditional model (0), which takes none. Throws ConfigError.
at::Tensor labels_for(const SampleRequest& request, int64_t num_classes);

/// The kinds of the parts that models are made of (networks, likelihoods), for `gen list` and `gen describe`.
std::vector<const KindBase*> model_part_kinds();

/// Number of trainable parameters by direct child module ("" for the module's own), in order.
std::vector<std::pair<std::string, int64_t>> parameter_counts(const torch::nn::Module& module);

}  // namespace gen
