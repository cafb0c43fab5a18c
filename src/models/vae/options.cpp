#include "models/vae/options.h"

#include <fmt/format.h>

#include "models/vae/coder.h"
#include "models/vae/observation.h"

namespace gen::vae {

void VaeOptions::visit(OptionVisitor& v) {
  v.field("latent_dim", latent_dim, "size of the latent vector", {.min = 1, .max = 65536});
  v.component("encoder", encoder, coders(), "network from the data to the posterior's mean and log-variance",
              {.required = true});
  v.component("decoder", decoder, coders(),
              "network from the latent vector to the likelihood's parameters; null: the "
              "encoder's mirror");
  v.component("likelihood", likelihood, observation_models(),
              "distribution of the data given the latent vector", {.required = true});
  v.field("beta", beta, "weight of the KL term (Higgins et al. 2017); 1 is the ELBO", {.min = 0, .max = 1e6});
  v.field("beta_warmup_steps", beta_warmup_steps,
          "steps over which beta grows linearly to its value (Sonderby et al. "
          "2016)",
          {.min = 0});
  v.field("free_bits", free_bits,
          "nats of KL that each latent dimension has for free, as a mean over the batch (Kingma "
          "et al. 2016)",
          {.min = 0, .max = 1e3});
  v.field("importance_samples", importance_samples,
          "k of the training objective: 1 is the ELBO, more the "
          "importance-weighted bound (Burda et al. 2016)",
          {.min = 1, .max = 10000});
  v.field("log_variance_min", log_variance_min, "the posterior's log-variance is clamped from below",
          {.min = -30, .max = 30});
  v.field("log_variance_max", log_variance_max, "and from above", {.min = -30, .max = 30});
  v.field("data_bias_init", data_bias_init,
          "starts the decoder's output at the mean of the first batch (Burda et al. "
          "2016)");
  v.require(log_variance_min < log_variance_max, "log_variance_min", "less than log_variance_max",
            fmt::format("{}", log_variance_min));
  v.require(importance_samples == 1 || (beta == 1 && beta_warmup_steps == 0 && free_bits == 0),
            "importance_samples",
            "1 where beta is not 1, or beta_warmup_steps or free_bits is set (the importance-weighted bound "
            "has no KL "
            "term to weigh)",
            fmt::format("{}", importance_samples));
}

}  // namespace gen::vae
