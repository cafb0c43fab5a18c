// The noise schedules and the samplers, one line each.
#include "diffusion/beta_schedule.h"
#include "diffusion/ddim_sampler.h"
#include "diffusion/ddpm_sampler.h"

namespace gen {

const NoiseScheduleKind& noise_schedules() {
  static const auto kind = [] {
    NoiseScheduleKind k("noise_schedule");
    k.add<LinearScheduleOptions>("linear", make_linear_schedule,
                                 "beta grows in equal steps (Ho et al. 2020)");
    k.add<ScaledLinearScheduleOptions>(
        "scaled_linear", make_scaled_linear_schedule,
        "sqrt(beta) grows in equal steps, as in latent diffusion (Rombach et al. 2022)");
    k.add<CosineScheduleOptions>("cosine", make_cosine_schedule,
                                 "squared cosine, diffusers' squaredcos_cap_v2 (Nichol & Dhariwal 2021)");
    return k;
  }();
  return kind;
}

const SamplerKind& samplers() {
  static const auto kind = [] {
    SamplerKind k("sampler");
    k.add<DdpmSamplerOptions>("ddpm", make_ddpm_sampler, "ancestral sampling (Ho et al. 2020)");
    k.add<DdimSamplerOptions>("ddim", make_ddim_sampler,
                              "denoising diffusion implicit models (Song, Meng & Ermon 2021)");
    return k;
  }();
  return kind;
}

}  // namespace gen
