// Negative log-likelihood, in nats and in bits per dimension.
#pragma once

#include <memory>

#include "gen/config/options.h"
#include "gen/metrics/metric.h"

namespace gen {

struct LikelihoodMetricOptions {
  int64_t importance_samples = 1;
  void visit(OptionVisitor& v);
};

/// -log p(x), mean over examples, in nats.
std::unique_ptr<Metric> make_nll(const LikelihoodMetricOptions& options, const DataSpec& data);
/// bits_offset - log2 p(x) / dims, for images of discrete levels.
std::unique_ptr<Metric> make_bits_per_dim(const LikelihoodMetricOptions& options, const DataSpec& data);

}  // namespace gen
