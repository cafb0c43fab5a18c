#pragma once

#include <cstdint>

#include "gen/config/options.h"

namespace gen::vae {

struct VaeOptions {
  int64_t latent_dim = 16;
  Component encoder{"mlp"};
  Component decoder;
  Component likelihood{"bernoulli"};
  double beta = 1;
  int64_t beta_warmup_steps = 0;
  double free_bits = 0;
  int64_t importance_samples = 1;
  double log_variance_min = -10;
  double log_variance_max = 10;
  bool data_bias_init = true;
  void visit(OptionVisitor& v);
};

}  // namespace gen::vae
