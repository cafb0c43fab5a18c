// The evidence lower bound and its terms.
#pragma once

#include <memory>

#include "gen/config/options.h"
#include "gen/metrics/metric.h"

namespace gen {

struct ElboOptions {
  int64_t draws = 1;
  void visit(OptionVisitor& v);
};

/// Results "elbo", "reconstruction" (log p(x | z)) and "kl", each a mean over examples in nats.
std::unique_ptr<Metric> make_elbo(const ElboOptions& options, const DataSpec& data);

}  // namespace gen
