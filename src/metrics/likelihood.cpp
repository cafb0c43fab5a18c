#include "metrics/likelihood.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "gen/core/error.h"
#include "metrics/mean.h"

namespace gen {
namespace {

class LikelihoodMetric final : public Metric {
 public:
  LikelihoodMetric(const LikelihoodMetricOptions& options, const DataSpec& data, bool bits)
      : options_{options.importance_samples}, data_(data), bits_(bits) {}

  std::string missing_capability(Model& model) const override {
    const auto* likelihood = model.likelihood();
    if (likelihood == nullptr) return "a likelihood";
    if (bits_ && (data_.kind != DataKind::images || data_.levels == 0)) return "images of discrete levels";
    if (bits_ && !likelihood->has_bits_per_dim()) return "a likelihood of the pixels' levels";
    return "";
  }

  void update(Model& model, const Batch& batch, Rng& rng) override {
    if (const auto missing = missing_capability(model); !missing.empty())
      throw ConfigError("eval: metric " + name() + " asks the model for " + missing);
    const auto result = model.likelihood()->log_likelihood(batch, options_, rng);
    exact_ = result.exact;
    described_ = result.protocol;
    if (bits_) {
      if (!result.bits_offset)
        throw ConfigError("eval: the model's likelihood is not that of the pixels' levels");
      offset_ = *result.bits_offset;
      mean_.add(offset_ - result.log_prob / (static_cast<double>(data_.dims()) * std::log(2.0)),
                batch.indices);
    } else {
      mean_.add(-result.log_prob, batch.indices);
    }
  }

  std::vector<MetricResult> compute() const override {
    Json protocol = protocol_of(mean_);
    protocol["importance_samples"] = options_.importance_samples;
    protocol["exact"] = exact_;
    protocol["kind"] = exact_ ? "exact" : "upper bound (from a lower bound of log p)";
    protocol["sign"] = "-log p: smaller is better";
    protocol["likelihood"] = described_;
    if (bits_) {
      protocol["dims"] = data_.dims();
      protocol["bits_offset"] = offset_;
      protocol["formula"] = "bits_offset - log p / (dims ln 2)";
      if (data_.padding > 0)
        protocol["padding"] = fmt::format(
            "{} of the dims are a border of zeros: over the other {} the same bits are "
            "{:.5g} bits/dim",
            data_.padding, data_.dims() - data_.padding,
            mean_.mean() * static_cast<double>(data_.dims()) /
                static_cast<double>(data_.dims() - data_.padding));
    }
    return {{name(), mean_.mean(), mean_.std_error(), bits_ ? "bits/dim" : "nats", std::move(protocol),
             mean_.non_finite()}};
  }

 private:
  std::string name() const { return bits_ ? "bits_per_dim" : "nll"; }

  Likelihood::Options options_;
  DataSpec data_;
  bool bits_;
  bool exact_ = false;
  std::string described_;
  double offset_ = 0;
  Mean mean_;
};

}  // namespace

void LikelihoodMetricOptions::visit(OptionVisitor& v) {
  v.field("importance_samples", importance_samples,
          "draws for each example: k of the importance-weighted bound of a latent-variable model (Burda et "
          "al. 2016), "
          "of the noise that dequantises, or of the times at which a diffusion's bound is taken",
          {.min = 1, .max = 1e6});
}

std::unique_ptr<Metric> make_nll(const LikelihoodMetricOptions& options, const DataSpec& data) {
  return std::make_unique<LikelihoodMetric>(options, data, /*bits=*/false);
}

std::unique_ptr<Metric> make_bits_per_dim(const LikelihoodMetricOptions& options, const DataSpec& data) {
  return std::make_unique<LikelihoodMetric>(options, data, /*bits=*/true);
}

}  // namespace gen
