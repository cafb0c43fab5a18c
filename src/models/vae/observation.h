// p(x | z): the distribution whose parameters the decoder puts out.
#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "gen/config/component.h"
#include "gen/core/rng.h"
#include "gen/data/dataset.h"
#include "gen/nn/row_wise.h"

namespace gen::vae {

/// Decoder outputs are [..., P * C, *rest] for data [B, C, *rest], P = num_parameters(); leading dimensions
/// beyond B are importance samples.
class ObservationModel : public torch::nn::Module {
 public:
  explicit ObservationModel(const DataSpec& data) : rank_(static_cast<int64_t>(data.shape.size())) {}
  /// Decoder outputs per dimension of the data.
  virtual int64_t num_parameters() const = 0;
  /// What is modelled, [B, *shape]: the data binarised, dequantised, or as they are. Draws come from `rng`.
  virtual at::Tensor target(const Batch& batch, Rng& rng) const = 0;
  /// The same of bare data and without randomness, for reconstructions: an expectation stands for a draw.
  virtual at::Tensor expected_target(const at::Tensor& x) const = 0;
  /// What the encoder sees of a target.
  virtual at::Tensor encoder_input(const at::Tensor& target) const = 0;
  /// log p(target | z) summed over dimensions, nats: output [K..., B, P * C, *rest] -> [K..., B].
  virtual at::Tensor log_prob(const at::Tensor& output, const at::Tensor& target) const = 0;
  /// E[x | z] in the units of Batch::x.
  virtual at::Tensor mean(const at::Tensor& output) const = 0;
  /// A constant decoder output [P * C, *rest] that fits the mean of x [B, C, *rest].
  virtual at::Tensor initial_output(const at::Tensor& x) const = 0;
  /// See Likelihood::Result::bits_offset.
  virtual std::optional<double> bits_offset() const { return std::nullopt; }
  /// What log_prob is the probability of, in words.
  virtual std::string protocol() const = 0;
  /// False where log_prob is a loss without being the log of a probability or density of the data.
  virtual bool is_likelihood() const { return true; }
  /// In words: expected_target() beside target().
  virtual std::string expected_target_protocol() const { return "the encoder sees the data as they are"; }

 protected:
  /// Sums all dimensions of one example.
  at::Tensor sum_example(const at::Tensor& x) const {
    const auto leading = x.sizes().slice(0, static_cast<size_t>(x.dim() - rank_));
    return row_wise::sum_of_each(x.flatten(-rank_).flatten(0, -2)).view(leading);
  }
  /// A scalar parameter that broadcasts over `output`; its gradient is summed example by example (row_wise.h).
  at::Tensor for_each_example(const at::Tensor& parameter, const at::Tensor& output) const {
    auto sizes = output.sizes().vec();
    std::fill(sizes.end() - rank_, sizes.end(), 1);
    return parameter.expand(sizes);
  }
  int64_t channel_dim() const { return -rank_; }

 private:
  int64_t rank_;
};

/// The vae_likelihood kind: bernoulli, gaussian, discretized_logistic. Throws ConfigError where a type cannot
/// describe such data.
using ObservationKind = Kind<std::shared_ptr<ObservationModel>(const DataSpec&)>;
const ObservationKind& observation_models();

// One line each in observation_models().
void add_bernoulli(ObservationKind& kind);
void add_gaussian(ObservationKind& kind);
void add_discretized_logistic(ObservationKind& kind);

}  // namespace gen::vae
