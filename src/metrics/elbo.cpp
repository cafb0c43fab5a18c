#include "metrics/elbo.h"

#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "metrics/mean.h"

namespace gen {
namespace {

class Elbo final : public Metric {
 public:
  explicit Elbo(const ElboOptions& options) : draws_(options.draws) {}

  std::string missing_capability(Model& model) const override {
    return model.variational() == nullptr ? "a variational posterior" : "";
  }

  void update(Model& model, const Batch& batch, Rng& rng) override {
    if (const auto missing = missing_capability(model); !missing.empty())
      throw ConfigError("eval: metric elbo asks the model for " + missing);
    described_ = model.variational()->elbo_protocol();
    auto terms = model.variational()->elbo_terms(batch, rng);
    for (int64_t draw = 1; draw < draws_; ++draw) {
      const auto more = model.variational()->elbo_terms(batch, rng);
      for (size_t i = 0; i < terms.size(); ++i) terms[i].second = terms[i].second + more[i].second;
    }
    means_.resize(terms.size());
    for (size_t i = 0; i < terms.size(); ++i) {
      means_[i].first = terms[i].first;
      means_[i].second.add(terms[i].second / static_cast<double>(draws_), batch.indices);
    }
  }

  std::vector<MetricResult> compute() const override {
    std::vector<MetricResult> results;
    for (const auto& [name, mean] : means_) {
      Json protocol = protocol_of(mean);
      protocol["posterior_draws"] = draws_;
      protocol["sum"] = "over dimensions";
      protocol["sign"] = "elbo = reconstruction - kl, log-probabilities: larger is better";
      protocol["likelihood"] = described_;
      results.push_back(
          {name, mean.mean(), mean.std_error(), "nats", std::move(protocol), mean.non_finite()});
    }
    return results;
  }

 private:
  int64_t draws_;
  std::string described_;
  std::vector<std::pair<std::string, Mean>> means_;
};

}  // namespace

void ElboOptions::visit(OptionVisitor& v) {
  v.field("draws", draws, "draws from the posterior of each example", {.min = 1, .max = 1e6});
}

std::unique_ptr<Metric> make_elbo(const ElboOptions& options, const DataSpec&) {
  return std::make_unique<Elbo>(options);
}

}  // namespace gen
