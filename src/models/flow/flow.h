// The flow family: exact log-likelihoods by change of variables.
#pragma once

#include <memory>

#include "gen/models/model.h"
#include "models/flow/architecture.h"
#include "models/flow/logit.h"
#include "models/flow/prior.h"

namespace gen::flow {

struct FlowOptions {
  Component architecture{"realnvp"};
  PriorKind prior = PriorKind::gaussian;
  std::optional<double> logit_alpha = {};
  bool conditional = false;
  void visit(OptionVisitor& v);
};

/// log p(x) = log p_Z(f(x)) + log|det df/dx|. Images, of n levels, are dequantised: y = ((n-1) x + u) / n in
/// [0, 1) with u uniform; the density is that of y, and bits per dimension are log2(n) - log p(y) / (D ln 2).
/// Points are modelled as they are.
class Flow : public Model, public Likelihood {
 public:
  Flow(const FlowOptions& options, const DataSpec& data);

  torch::nn::Module& module() override { return *flow_; }
  /// The total is in bits per dimension for images, in nats for points; terms: "nll" (nats), "bits_per_dim"
  /// (images).
  LossTerms loss(const Batch& batch, const StepContext& context) override;
  /// Images: x = (n y - 1/2) / (n - 1), whose nearest level k/(n-1) is that of y.
  Samples sample(const SampleRequest& request) override;
  void initialize(const Batch& batch, Rng& rng) override;
  /// "x" [B, *shape] in the units of Batch::x (images: already dequantised, in [0, 1)), and "label" [B] where
  /// conditional; gives "z0", "z1", ... (one for each scale), "log_det" and "log_prob" [B].
  TensorMap forward_named(const TensorMap& inputs) override;

  Likelihood* likelihood() override { return this; }
  Result log_likelihood(const Batch& batch, const Likelihood::Options& options, Rng& rng) override;

 private:
  bool images() const { return data_.kind == DataKind::images; }
  Condition condition(const at::Tensor& label, const at::Tensor& x) const;
  /// y of the class comment; points unchanged.
  at::Tensor dequantize(const at::Tensor& x, Rng& rng) const;
  MultiScale::Encoded encode(const at::Tensor& y, const Condition& condition);
  at::Tensor log_prob(const MultiScale::Encoded& encoded) const;

  FlowOptions options_;
  DataSpec data_;
  std::optional<Logit> logit_;
  std::shared_ptr<MultiScale> flow_;
};

std::unique_ptr<Model> make_flow(const FlowOptions& options, const DataSpec& data);

}  // namespace gen::flow
