#include "gen/config/options.h"
#include "models/flow/actnorm.h"
#include "models/flow/additive_coupling.h"
#include "models/flow/affine_coupling.h"
#include "models/flow/architecture.h"
#include "models/flow/batch_norm.h"
#include "models/flow/conditioner.h"
#include "models/flow/flatten.h"
#include "models/flow/logit.h"
#include "models/flow/permutation.h"
#include "models/flow/scaling.h"
#include "models/flow/squeeze.h"

namespace gen::flow {
namespace {

template <class B>
std::shared_ptr<Bijector> from_context(const auto& /*options*/, const BijectorContext& context) {
  return std::make_shared<B>(context);
}

template <class B>
std::shared_ptr<Bijector> from_options(const auto& options, const BijectorContext& context) {
  return std::make_shared<B>(options, context);
}

}  // namespace

const BijectorKind& bijectors() {
  static const auto kind = [] {
    BijectorKind k("bijector");
    k.add<CouplingOptions>("additive_coupling", from_options<AdditiveCoupling, CouplingOptions>,
                           "adds a network of one half to the other (NICE, Dinh et al. 2015)");
    k.add<CouplingOptions>("affine_coupling", from_options<AffineCoupling, CouplingOptions>,
                           "scales and shifts one half by networks of the other (RealNVP, Dinh et al. 2017)");
    k.add<ScalingOptions>("scaling", from_context<Scaling, ScalingOptions>,
                          "a learned scale for each element (NICE, Dinh et al. 2015)");
    k.add<ActNormOptions>("actnorm", from_context<ActNorm, ActNormOptions>,
                          "activation normalisation, initialised from data (Glow, Kingma & Dhariwal 2018)");
    k.add<BatchNormBijectorOptions>("batch_norm", from_options<BatchNormBijector, BatchNormBijectorOptions>,
                                    "batch normalisation (RealNVP, Dinh et al. 2017)");
    k.add<PermutationOptions>("permutation", from_options<Permutation, PermutationOptions>,
                              "a fixed permutation of channels or coordinates");
    k.add<SqueezeOptions>("squeeze", from_context<Squeeze, SqueezeOptions>,
                          "2 x 2 cells to channels (RealNVP, Dinh et al. 2017)");
    k.add<FlattenOptions>("flatten", from_context<Flatten, FlattenOptions>, "an image to a vector");
    k.add<LogitOptions>(
        "logit", [](const LogitOptions& o, const BijectorContext&) { return std::make_shared<Logit>(o); },
        "pixels to the whole line (RealNVP, Dinh et al. 2017)");
    return k;
  }();
  return kind;
}

const ConditionerKind& conditioners() {
  static const auto kind = [] {
    ConditionerKind k("conditioner");
    k.add<MlpConditionerOptions>("mlp", make_mlp_conditioner, "ReLU layers over points (Dinh et al. 2015)");
    k.add<ResnetConditionerOptions>("resnet", make_resnet_conditioner,
                                    "a residual network over images (Dinh et al. 2017)");
    return k;
  }();
  return kind;
}

Component conditioner_for(const Component& network, const Shape& shape) {
  return network ? network : Component(shape.size() == 3 ? "resnet" : "mlp");
}

const FlowArchitectureKind& flow_architectures() {
  static const auto kind = [] {
    FlowArchitectureKind k("flow_architecture");
    k.add<NiceOptions>("nice", make_nice, "additive couplings and a scaling layer (Dinh et al. 2015)");
    k.add<RealnvpOptions>("realnvp", make_realnvp, "multi-scale affine couplings (Dinh et al. 2017)");
    k.add<SequenceOptions>("sequence", make_sequence, "a list of bijectors, one after the other");
    return k;
  }();
  return kind;
}

}  // namespace gen::flow
