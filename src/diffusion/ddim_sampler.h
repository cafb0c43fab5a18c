// Denoising diffusion implicit models (Song, Meng & Ermon 2021).
#pragma once

#include <memory>

#include "diffusion/clipping.h"
#include "diffusion/time_grid.h"
#include "gen/diffusion/sampler.h"

namespace gen {

struct DdimSamplerOptions {
  int64_t steps = 50;
  double eta = 0;
  TimestepSpacing timestep_spacing = TimestepSpacing::leading;
  int64_t steps_offset = 0;
  bool set_alpha_to_one = true;
  bool uniform_stride = false;
  bool use_clipped_model_output = false;
  ClippingOptions clipping;
  void visit(OptionVisitor& v);
};

std::unique_ptr<Sampler> make_ddim_sampler(const DdimSamplerOptions& options);

}  // namespace gen
