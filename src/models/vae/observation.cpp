#include "models/vae/observation.h"

namespace gen::vae {

const ObservationKind& observation_models() {
  static const auto kind = [] {
    ObservationKind k("vae_likelihood");
    add_bernoulli(k);
    add_gaussian(k);
    add_discretized_logistic(k);
    return k;
  }();
  return kind;
}

}  // namespace gen::vae
