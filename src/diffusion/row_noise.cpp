#include <ATen/ATen.h>

#include "gen/core/check.h"
#include "gen/diffusion/sampler.h"

namespace gen {

NoiseSource row_noise(SampleRng& rng) {
  return [&rng](const at::Tensor& like) {
    GEN_CHECK(like.size(0) == rng.count(), "noise for {} rows from {} streams", like.size(0), rng.count());
    return rng.normal(like.sizes().slice(1), like.scalar_type()).to(like.device());
  };
}

}  // namespace gen
