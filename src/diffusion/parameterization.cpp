#include "gen/diffusion/parameterization.h"

#include <torch/torch.h>

#include <algorithm>

#include "gen/core/check.h"

namespace gen {

Preconditioning preconditioning(PredictionType type, const NoiseSchedule& schedule, double t) {
  const double alpha = schedule.alpha(t), sigma = schedule.sigma(t);
  switch (type) {
    case PredictionType::epsilon: {
      const double scale = 1 / std::max(alpha, kLeastAlpha);
      return {.c_skip = scale, .c_out = -sigma * scale, .c_noise = t};
    }
    case PredictionType::sample:
      return {.c_skip = 0, .c_out = 1, .c_noise = t};
    case PredictionType::v_prediction:
      return {.c_skip = alpha, .c_out = -sigma, .c_noise = t};
  }
  GEN_CHECK(false, "unknown prediction type {}", static_cast<int>(type));
}

at::Tensor prediction_target(PredictionType type, const at::Tensor& x0, const at::Tensor& noise,
                             const at::Tensor& alpha, const at::Tensor& sigma) {
  switch (type) {
    case PredictionType::epsilon:
      return noise;
    case PredictionType::sample:
      return x0;
    case PredictionType::v_prediction:
      return alpha * noise - sigma * x0;
  }
  GEN_CHECK(false, "unknown prediction type {}", static_cast<int>(type));
}

at::Tensor predicted_data(PredictionType type, const at::Tensor& output, const at::Tensor& x_t,
                          const at::Tensor& alpha, const at::Tensor& sigma) {
  switch (type) {
    case PredictionType::epsilon:
      return (x_t - sigma * output) / alpha.clamp_min(kLeastAlpha);
    case PredictionType::sample:
      return output;
    case PredictionType::v_prediction:
      return alpha * x_t - sigma * output;
  }
  GEN_CHECK(false, "unknown prediction type {}", static_cast<int>(type));
}

}  // namespace gen
