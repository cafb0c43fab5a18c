#include <array>

#include "gen/config/option_error.h"
#include "gen/config/options.h"
#include "gen/core/check.h"
#include "gen/core/error.h"
#include "gen/nn/row_wise.h"
#include "models/vae/observation.h"

namespace gen::vae {
namespace {

enum class Binarization { none, dynamic, fixed, threshold };
constexpr std::array<std::pair<const char*, Binarization>, 4> kBinarizations{
    {{"none", Binarization::none},
     {"dynamic", Binarization::dynamic},
     {"static", Binarization::fixed},
     {"threshold", Binarization::threshold}}};

struct BernoulliOptions {
  Binarization binarization = Binarization::dynamic;
  void visit(OptionVisitor& v) {
    v.choice("binarization", binarization, kBinarizations,
             "pixels become 0 or 1: dynamic, drawn with the grey value as probability, anew each time (Burda "
             "et al. "
             "2016); static, drawn once for each example (Salakhutdinov & Murray 2008); threshold, at 1/2; "
             "none, grey "
             "values as they are, whose cross-entropy is not a likelihood");
  }
};

/// One draw for each (example, dimension), a function of the example's split and index alone: the same in every epoch and
/// for every seed of a run, as the binarized MNIST of Salakhutdinov & Murray is.
at::Tensor static_uniforms(const Batch& batch) {
  const int64_t count = batch.size();
  GEN_CHECK(static_cast<int64_t>(batch.indices.size()) == count, "{} indices for {} examples",
            batch.indices.size(), count);
  auto uniforms = at::empty(batch.x.sizes(), at::kFloat);
  float* out = uniforms.data_ptr<float>();
  for (int64_t index : batch.indices) {
    HostRng rng(derive_seed(0, Stream::binarization, static_cast<uint64_t>(index),
                            static_cast<uint64_t>(batch.split)));
    for (int64_t d = uniforms.numel() / count; d > 0; --d) *out++ = static_cast<float>(rng.uniform());
  }
  return uniforms.to(batch.x.device());
}

class Bernoulli final : public ObservationModel {
 public:
  Bernoulli(const BernoulliOptions& options, const DataSpec& data)
      : ObservationModel(data), binarization_(options.binarization) {
    if (data.kind != DataKind::images)
      throw OptionError("/type",
                        "expected gaussian for points, got bernoulli, which is for images in [0, 1]");
  }

  int64_t num_parameters() const override { return 1; }
  at::Tensor target(const Batch& batch, Rng& rng) const override {
    const auto& x = batch.x;
    switch (binarization_) {
      case Binarization::dynamic:
        return at::lt(rng.uniform(x.sizes()).to(x.device()), x).to(x.scalar_type());
      case Binarization::fixed:
        return at::lt(static_uniforms(batch), x).to(x.scalar_type());
      default:
        return expected_target(x);
    }
  }
  at::Tensor expected_target(const at::Tensor& x) const override {
    return binarization_ == Binarization::threshold ? x.ge(0.5).to(x.scalar_type()) : x;
  }
  at::Tensor encoder_input(const at::Tensor& target) const override { return target; }
  at::Tensor log_prob(const at::Tensor& logits, const at::Tensor& target) const override {
    // x log s(l) + (1 - x) log s(-l) = x l - softplus(l), finite for every l.
    return sum_example(target * logits - row_wise::softplus(logits));
  }
  at::Tensor mean(const at::Tensor& logits) const override { return row_wise::sigmoid(logits); }
  at::Tensor initial_output(const at::Tensor& x) const override {
    return at::logit(x.mean(0), 0.01);  // a pixel that is always black in one batch still gets 1 %
  }
  std::string protocol() const override {
    switch (binarization_) {
      case Binarization::dynamic:
        return "pixels binarized by one draw with the grey value as probability (dynamic)";
      case Binarization::fixed:
        return "pixels binarized by one fixed draw for each example (static)";
      case Binarization::threshold:
        return "pixels binarized at 1/2 (threshold)";
      case Binarization::none:
        break;
    }
    return "cross-entropy of grey values, which is no likelihood: it bounds nothing and compares with no "
           "other number";
  }
  bool is_likelihood() const override { return binarization_ != Binarization::none; }
  std::string expected_target_protocol() const override {
    switch (binarization_) {
      case Binarization::dynamic:
      case Binarization::fixed:
        return "the encoder, trained on binary draws, sees the grey values that these are drawn from";
      case Binarization::threshold:
        return "the encoder sees pixels binarized at 1/2; the grey ones are compared";
      case Binarization::none:
        break;
    }
    return ObservationModel::expected_target_protocol();
  }

 private:
  Binarization binarization_;
};

}  // namespace

void add_bernoulli(ObservationKind& kind) {
  kind.add<BernoulliOptions>(
      "bernoulli",
      [](const BernoulliOptions& o, const DataSpec& d) { return std::make_shared<Bernoulli>(o, d); },
      "binary pixels (Kingma & Welling 2014)");
}

}  // namespace gen::vae
