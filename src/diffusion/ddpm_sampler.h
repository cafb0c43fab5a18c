// Ancestral sampling (Ho et al. 2020, algorithm 2).
#pragma once

#include <memory>
#include <optional>

#include "diffusion/clipping.h"
#include "diffusion/time_grid.h"
#include "gen/diffusion/sampler.h"

namespace gen {

/// Variance of p(x_{t-1} | x_t): beta~, that of the posterior q(x_{t-1} | x_t, x_0), or beta (Ho et al. 2020,
/// sec. 3.2).
enum class VarianceType { fixed_small, fixed_large };

struct DdpmSamplerOptions {
  std::optional<int64_t> steps;  ///< null: every training time
  TimestepSpacing timestep_spacing = TimestepSpacing::leading;
  int64_t steps_offset = 0;
  VarianceType variance_type = VarianceType::fixed_small;
  ClippingOptions clipping;
  void visit(OptionVisitor& v);
};

std::unique_ptr<Sampler> make_ddpm_sampler(const DdpmSamplerOptions& options);

}  // namespace gen
