// One step of Adam with decoupled decay, and the average of the result, in one pass over memory.
#include "ops/simd/tables.h"
#include "ops/simd/vector.h"

namespace gen::ops::simd::GEN_SIMD_NAME {
namespace {

template <bool kAverage>
inline void update_all(float* parameter, const float* gradient, float* mean, float* square, float* average,
                       int64_t n, const AdamStep& step) {
  for_lanes(n, [&](int64_t i, auto lanes) {
    const F g = lanes.load(gradient + i) * step.gradient_scale;
    F m = lanes.load(mean + i), v = lanes.load(square + i);
    m += (g - m) * step.mean_weight;
    v += (g * g - v) * step.square_weight;
    const F p = lanes.load(parameter + i) * step.decay -
                step.step_size * m / (square_root(v) * step.root_correction + step.eps);
    lanes.store(mean + i, m);
    lanes.store(square + i, v);
    lanes.store(parameter + i, p);
    if constexpr (kAverage) {
      const F a = lanes.load(average + i);
      lanes.store(average + i, a + (p - a) * step.average_weight);
    }
  });
}

void update(float* parameter, const float* gradient, float* mean, float* square, float* average, int64_t n,
            const AdamStep& step) {
  if (average)
    update_all<true>(parameter, gradient, mean, square, average, n, step);
  else
    update_all<false>(parameter, gradient, mean, square, nullptr, n, step);
}

}  // namespace

const AdamKernels kAdam{update};

}  // namespace gen::ops::simd::GEN_SIMD_NAME
