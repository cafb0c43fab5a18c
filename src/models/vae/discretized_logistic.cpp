#include <array>
#include <cmath>
#include <numbers>

#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/error.h"
#include "gen/nn/row_wise.h"
#include "models/vae/observation.h"

namespace gen::vae {
namespace {

enum class Scale { learned, per_dimension };
constexpr std::array<std::pair<const char*, Scale>, 2> kScales{
    {{"learned", Scale::learned}, {"per_dimension", Scale::per_dimension}}};

struct DiscretizedLogisticOptions {
  Scale scale = Scale::per_dimension;
  double initial_scale = 0.1;
  void visit(OptionVisitor& v) {
    v.choice("scale", scale, kScales,
             "learned, one for all (Kingma et al. 2016); per_dimension, put out by the decoder");
    v.field("initial_scale", initial_scale, "scale of the logistic at the start, where pixels span [-1, 1]",
            {.min = 1e-3, .max = 10});
  }
};

// Salimans et al. 2017: a smaller scale only sharpens a bin that already holds all the mass.
constexpr double kMinLogScale = -7;

/// The mass that a logistic distribution gives each level's bin, pixels scaled to [-1, 1]; the first and last
/// level take the tails (Salimans et al. 2017, eq. 2).
class DiscretizedLogistic final : public ObservationModel {
 public:
  DiscretizedLogistic(const DiscretizedLogisticOptions& options, const DataSpec& data)
      : ObservationModel(data),
        scale_(options.scale),
        log_start_(std::log(options.initial_scale)),
        half_bin_(1.0 / static_cast<double>(data.levels - 1)) {
    if (data.kind != DataKind::images || data.levels < 2)
      throw OptionError("/type",
                        "expected gaussian for data that are not levels of pixels, got discretized_logistic");
    if (scale_ == Scale::learned) log_scale_ = register_parameter("log_scale", at::full({}, log_start_));
  }

  int64_t num_parameters() const override { return scale_ == Scale::per_dimension ? 2 : 1; }
  at::Tensor target(const Batch& batch, Rng&) const override { return batch.x; }
  at::Tensor expected_target(const at::Tensor& x) const override { return x; }
  at::Tensor encoder_input(const at::Tensor& target) const override { return 2 * target - 1; }

  at::Tensor log_prob(const at::Tensor& output, const at::Tensor& target) const override {
    const auto inverse_scale = (-log_scale(output)).exp();
    const auto centred = 2 * target - 1 - location(output);
    // With b and a the standardised upper and lower edge of the bin,
    // log(s(b) - s(a)) = log s(b) + log s(-a) + log(1 - e^-(b - a)), exact and finite wherever the bin lies.
    const auto below_upper = row_wise::log_sigmoid((centred + half_bin_) * inverse_scale);
    const auto above_lower = row_wise::log_sigmoid(-(centred - half_bin_) * inverse_scale);
    const auto log_width = at::log(-at::expm1(-2 * half_bin_ * inverse_scale));
    const auto first = target.lt(0.5 * half_bin_), last = target.gt(1 - 0.5 * half_bin_);
    return sum_example(below_upper.masked_fill(last, 0) + above_lower.masked_fill(first, 0) +
                       log_width.expand_as(centred).masked_fill(first.logical_or(last), 0));
  }
  at::Tensor mean(const at::Tensor& output) const override {
    return ((location(output) + 1) / 2).clamp(0, 1);
  }
  at::Tensor initial_output(const at::Tensor& x) const override {
    const auto at_mean = 2 * x.mean(0) - 1;
    return scale_ == Scale::per_dimension ? at::cat({at_mean, at::zeros_like(at_mean)}) : at_mean;
  }
  std::optional<double> bits_offset() const override {
    return 0;
  }  // log_prob is already the levels' probability
  std::string protocol() const override { return "probability of the pixels' levels"; }

 private:
  at::Tensor location(const at::Tensor& output) const {
    return scale_ == Scale::per_dimension ? output.chunk(2, channel_dim())[0] : output;
  }
  at::Tensor log_scale(const at::Tensor& output) const {
    const auto raw = scale_ == Scale::learned ? for_each_example(log_scale_, output)
                                              : output.chunk(2, channel_dim())[1] + log_start_;
    return raw.clamp_min(kMinLogScale);
  }

  Scale scale_;
  double log_start_, half_bin_;
  at::Tensor log_scale_;
};

}  // namespace

void add_discretized_logistic(ObservationKind& kind) {
  kind.add<DiscretizedLogisticOptions>(
      "discretized_logistic",
      [](const DiscretizedLogisticOptions& o, const DataSpec& d) {
        return std::make_shared<DiscretizedLogistic>(o, d);
      },
      "levels of a pixel under a logistic distribution (Kingma et al. 2016; Salimans et al. 2017)");
}

}  // namespace gen::vae
