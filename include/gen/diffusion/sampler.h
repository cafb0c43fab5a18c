// Iterative sampling: a solver sees only a denoiser x0 = D(x, t) and walks a grid of times from noise to
// data.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>

#include "gen/config/component.h"
#include "gen/core/rng.h"
#include "gen/diffusion/noise_schedule.h"

namespace gen {

/// x0 = D(x, t): the clean data that the network believes lie under x at training time t. Schedule,
/// parameterization, condition and guidance hide behind it.
class Denoiser {
 public:
  virtual ~Denoiser() = default;
  /// x [N, *shape] at time t in [0, num_timesteps - 1]; gives x0 of the same shape, not clipped.
  virtual at::Tensor operator()(const at::Tensor& x, double t) = 0;
  /// r where clean data are known to lie in [-r, r] (images: 1), which solvers may use to clip x0.
  virtual std::optional<double> data_bound() const { return std::nullopt; }
};

/// Standard normals of the shape and dtype of `like`, on its device; one call is one draw for every row.
using NoiseSource = std::function<at::Tensor(const at::Tensor& like)>;
/// Draws row by row from `rng`, which must outlive the result: a row does not depend on its batch.
NoiseSource row_noise(SampleRng& rng);

/// Called after each step of a solver.
using StepProgress = std::function<void(int64_t done, int64_t total)>;

/// A solver with its options. Holds no state between runs.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Throws OptionError, its pointers below the sampler's own options, where these do not fit the schedule: more steps
  /// than it has training times, an offset that leads beyond them.
  virtual void check(const NoiseSchedule& schedule) const = 0;
  /// From x [N, *shape], distributed as the data noised to the first time of the grid, to data. `progress`
  /// may be empty. Throws what check() does.
  virtual at::Tensor run(Denoiser& denoise, const NoiseSchedule& schedule, at::Tensor x,
                         const NoiseSource& noise, const StepProgress& progress) const = 0;
  /// Calls of the denoiser per sample (NFE).
  virtual int64_t evaluations(const NoiseSchedule& schedule) const = 0;
};

/// The sampler kind: ddpm, ddim.
using SamplerKind = Kind<std::unique_ptr<Sampler>()>;
const SamplerKind& samplers();

/// What samples where nothing is chosen: `ddim` with 50 steps, or as many as the schedule has where these are fewer.
/// Deterministic, and near its limit in 50 calls (Song, Meng & Ermon 2021, table 1).
Component default_sampler(const NoiseSchedule& schedule);
/// Its type, which a config means that changes options of the sampler and names no type.
inline constexpr const char* kDefaultSampler = "ddim";

}  // namespace gen
