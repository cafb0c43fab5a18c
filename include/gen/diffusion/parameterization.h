// What a network's output means: the way from it to x0, and what it is trained to give.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <utility>

#include "gen/diffusion/noise_schedule.h"

namespace gen {

/// The quantity that the network predicts, under diffusers' names: the noise (Ho et al. 2020), the clean
/// data, or the velocity v = alpha e - sigma x0 (Salimans & Ho 2022).
enum class PredictionType { epsilon, sample, v_prediction };

inline constexpr std::array<std::pair<const char*, PredictionType>, 3> kPredictionTypes{
    {{"epsilon", PredictionType::epsilon},
     {"sample", PredictionType::sample},
     {"v_prediction", PredictionType::v_prediction}}};

/// Stands for a smaller alpha where the noise is predicted: x0 = (x - sigma F) / alpha then stays within float32. At an
/// alpha of 0 nothing tells x0 from the noise, and what stands here is clipped or drowned by noise.
inline constexpr double kLeastAlpha = 1e-30;

/// x0 = c_skip x + c_out F(c_in x, c_noise) for a network F (Karras et al. 2022, eq. 7), as host scalars.
struct Preconditioning {
  double c_skip = 0;
  double c_out = 1;
  double c_in = 1;
  double c_noise = 0;
};

/// The scalars at time t. epsilon: c_skip 1/alpha, c_out -sigma/alpha, for an alpha of at least kLeastAlpha; sample: 0, 1; v_prediction: alpha,
/// -sigma, which supposes alpha^2 + sigma^2 = 1. c_in is 1 and c_noise is t.
Preconditioning preconditioning(PredictionType type, const NoiseSchedule& schedule, double t);

/// What the network should give for x_t = alpha x0 + sigma noise. x0 and noise [B, *shape]; alpha and sigma
/// broadcast to them ([B, 1, ...]).
at::Tensor prediction_target(PredictionType type, const at::Tensor& x0, const at::Tensor& noise,
                             const at::Tensor& alpha, const at::Tensor& sigma);

/// The clean data that the network's output at x_t = alpha x0 + sigma noise stands for: the inverse of
/// prediction_target. Shapes as there.
at::Tensor predicted_data(PredictionType type, const at::Tensor& output, const at::Tensor& x_t,
                          const at::Tensor& alpha, const at::Tensor& sigma);

}  // namespace gen
