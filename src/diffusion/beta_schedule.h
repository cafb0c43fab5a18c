// The variance-preserving schedules of discrete-time diffusion, given by beta_0 .. beta_{T-1}.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "gen/config/options.h"
#include "gen/diffusion/noise_schedule.h"

namespace gen {

/// beta from beta_start to beta_end in equal steps (Ho et al. 2020, section 4).
struct LinearScheduleOptions {
  int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4;
  double beta_end = 0.02;
  void visit(OptionVisitor& v);
};

/// sqrt(beta) in equal steps; "linear" in the latent-diffusion code (Rombach et al. 2022).
struct ScaledLinearScheduleOptions {
  int64_t num_train_timesteps = 1000;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  void visit(OptionVisitor& v);
};

/// alphas_cumprod(u) ~ cos^2((u + 0.008) / 1.008 * pi/2), u = t/T (Nichol & Dhariwal 2021, eq. 17);
/// diffusers' squaredcos_cap_v2.
struct CosineScheduleOptions {
  int64_t num_train_timesteps = 1000;
  double max_beta = 0.999;
  void visit(OptionVisitor& v);
};

std::unique_ptr<NoiseSchedule> make_linear_schedule(const LinearScheduleOptions& options);
std::unique_ptr<NoiseSchedule> make_scaled_linear_schedule(const ScaledLinearScheduleOptions& options);
std::unique_ptr<NoiseSchedule> make_cosine_schedule(const CosineScheduleOptions& options);

/// alpha^2 = cumprod(1 - beta), sigma^2 = 1 - alpha^2 for betas [T], each in [0, 1]. The betas are rounded to float32,
/// as the ecosystem's are; their product is double: in float32 a strong noise would end at an alpha of 0 early, a weak
/// one begin at a sigma of 0. Both may be 0 where the betas say so.
std::unique_ptr<NoiseSchedule> make_beta_schedule(const at::Tensor& betas);

}  // namespace gen
