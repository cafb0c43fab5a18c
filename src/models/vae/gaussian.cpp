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

enum class Variance { fixed, learned, per_dimension };
constexpr std::array<std::pair<const char*, Variance>, 3> kVariances{
    {{"fixed", Variance::fixed}, {"learned", Variance::learned}, {"per_dimension", Variance::per_dimension}}};

struct GaussianOptions {
  Variance variance = Variance::learned;
  double stddev = 0.1;
  double min_stddev = 1e-3;
  std::optional<bool> dequantize;
  void visit(OptionVisitor& v) {
    v.choice("variance", variance, kVariances,
             "fixed; learned, one for all (Rybkin et al. 2021); per_dimension, put out by the decoder");
    v.field("stddev", stddev,
            "standard deviation, at the start where it is learned; x in the units of the data "
            "(images: [0, 1])",
            {.min = 0, .max = 1e6, .exclusive_min = true});
    v.field("min_stddev", min_stddev, "floor of a learned standard deviation",
            {.min = 0, .max = 1e6, .exclusive_min = true});
    v.field("dequantize", dequantize,
            "adds uniform noise of one level's width to images, so that a density bounds "
            "the probability of the levels (Theis et al. 2016); null: for images of discrete levels");
    v.require(min_stddev <= stddev, "min_stddev", "at most stddev", std::to_string(min_stddev));
  }
};

class Gaussian final : public ObservationModel {
 public:
  Gaussian(const GaussianOptions& options, const DataSpec& data)
      : ObservationModel(data),
        variance_(options.variance),
        log_start_(std::log(options.stddev)),
        log_floor_(std::log(options.min_stddev)),
        images_(data.kind == DataKind::images),
        levels_(data.kind == DataKind::images ? static_cast<double>(data.levels) : 0),
        dequantize_(options.dequantize.value_or(levels_ > 0)) {
    if (dequantize_ && levels_ == 0)
      throw OptionError("/dequantize",
                        "expected false or null for data that are not levels of pixels, got true");
    if (variance_ == Variance::learned)
      log_stddev_ = register_parameter("log_stddev", at::full({}, log_start_));
  }

  int64_t num_parameters() const override { return variance_ == Variance::per_dimension ? 2 : 1; }
  at::Tensor target(const Batch& batch, Rng& rng) const override {
    const auto& x = batch.x;
    if (!dequantize_) return x;
    return (x * (levels_ - 1) + rng.uniform(x.sizes()).to(x.device(), x.scalar_type())) / levels_;
  }
  at::Tensor expected_target(const at::Tensor& x) const override {
    return dequantize_ ? (x * (levels_ - 1) + 0.5) / levels_ : x;
  }
  at::Tensor encoder_input(const at::Tensor& target) const override {
    return images_ ? 2 * target - 1 : target;
  }
  at::Tensor log_prob(const at::Tensor& output, const at::Tensor& target) const override {
    const auto log_s = log_stddev(output);
    const auto standardized = (target - location(output)) * (-log_s).exp();
    const double half_log_two_pi = 0.5 * std::log(2 * std::numbers::pi);
    return sum_example(-0.5 * standardized.square() - log_s - half_log_two_pi);
  }
  at::Tensor mean(const at::Tensor& output) const override {
    const auto m = location(output);
    return dequantize_ ? ((m * levels_ - 0.5) / (levels_ - 1)).clamp(0, 1) : m;  // undoes expected_target
  }
  at::Tensor initial_output(const at::Tensor& x) const override {
    auto at_mean = expected_target(x).mean(0);
    if (images_) at_mean = at::logit(at_mean, 0.01);
    return variance_ == Variance::per_dimension ? at::cat({at_mean, at::zeros_like(at_mean)}) : at_mean;
  }
  std::optional<double> bits_offset() const override {
    return dequantize_ ? std::optional(std::log2(levels_)) : std::nullopt;
  }
  std::string protocol() const override {
    if (dequantize_)
      return "density of pixels dequantised to [0, 1) by one draw of uniform noise, which bounds the "
             "probability of "
             "their levels";
    return levels_ > 0
               ? "density at pixels that are levels: unbounded, compares with no probability of levels"
               : "density of x";
  }
  std::string expected_target_protocol() const override {
    return dequantize_ ? "the encoder, trained on dequantised pixels, sees the middle of each level"
                       : ObservationModel::expected_target_protocol();
  }

 private:
  at::Tensor location(const at::Tensor& output) const {
    const auto raw = variance_ == Variance::per_dimension ? output.chunk(2, channel_dim())[0] : output;
    return images_ ? row_wise::sigmoid(raw) : raw;
  }
  at::Tensor log_stddev(const at::Tensor& output) const {
    switch (variance_) {
      case Variance::learned:
        return for_each_example(log_stddev_, output).clamp_min(log_floor_);
      case Variance::per_dimension:
        return (output.chunk(2, channel_dim())[1] + log_start_).clamp_min(log_floor_);
      case Variance::fixed:
        break;
    }
    return at::full({}, log_start_, output.options());
  }

  Variance variance_;
  double log_start_, log_floor_;
  bool images_;
  double levels_;
  bool dequantize_;
  at::Tensor log_stddev_;
};

}  // namespace

void add_gaussian(ObservationKind& kind) {
  kind.add<GaussianOptions>(
      "gaussian",
      [](const GaussianOptions& o, const DataSpec& d) { return std::make_shared<Gaussian>(o, d); },
      "normal density, for points or dequantised images (Kingma & Welling 2014)");
}

}  // namespace gen::vae
