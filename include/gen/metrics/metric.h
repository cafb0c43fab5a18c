// Scores: each accumulates over batches of held-out data (or asks the model for samples) and states its protocol.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gen/config/component.h"
#include "gen/config/json.h"
#include "gen/models/model.h"

namespace gen {

struct MetricResult {
  std::string name;  ///< "bits_per_dim", "elbo", "kl", "psnr", ...
  double value = 0;
  double std_error = 0;  ///< of the mean over examples; 0 where it has no meaning
  std::string unit;      ///< "nats", "bits/dim", "dB", ""
  Json protocol;         ///< number of examples, draws, what was dequantised, ...
  /// The examples whose own value is not finite, and so neither is the mean.
  std::vector<int64_t> non_finite{};
};

class Metric {
 public:
  virtual ~Metric() = default;
  /// Empty where the model has the capability this metric asks of it, otherwise what it lacks.
  virtual std::string missing_capability(Model& model) const = 0;
  virtual void update(Model& model, const Batch& batch, Rng& rng) = 0;
  virtual std::vector<MetricResult> compute() const = 0;
};

/// The metric kind: nll, bits_per_dim, elbo, reconstruction.
using MetricKind = Kind<std::unique_ptr<Metric>(const DataSpec&)>;
const MetricKind& metrics();
/// Those of a config's eval.metrics, or, where it names none, all that the model can answer, which may be none. Throws
/// OptionError, its pointers below a config's section `eval`, with every one that asks for what the model lacks.
std::vector<std::unique_ptr<Metric>> make_metrics(const std::vector<Component>& chosen, Model& model,
                                                  const DataSpec& data);

}  // namespace gen
