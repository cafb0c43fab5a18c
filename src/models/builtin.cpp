// The model families, one line each.
#include "gen/models/model.h"
#include "models/diffusion/model.h"
#include "models/flow/conditioner.h"
#include "models/flow/flow.h"
#include "models/vae/coder.h"
#include "models/vae/model.h"
#include "models/vae/observation.h"

namespace gen {

const ModelKind& models() {
  static const auto kind = [] {
    ModelKind k("model");
    k.add<vae::VaeOptions>("vae", vae::make_vae, "variational auto-encoder (Kingma & Welling 2014)");
    k.add<DiffusionOptions>("diffusion", make_diffusion,
                            "denoising diffusion probabilistic model (Ho et al. 2020)");
    k.add<flow::FlowOptions>("flow", flow::make_flow,
                             "normalizing flow: NICE, RealNVP (Dinh et al. 2015, 2017)");
    return k;
  }();
  return kind;
}

std::vector<const KindBase*> model_part_kinds() {
  return {&vae::coders(), &vae::observation_models(), &flow::flow_architectures(), &flow::bijectors(),
          &flow::conditioners()};
}

}  // namespace gen
