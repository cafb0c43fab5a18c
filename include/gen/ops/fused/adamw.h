// AdamW over many tensors as raw pointers, and its kernel's body.
#pragma once

#include <cmath>

#include "gen/ops/fused/element.h"
#include "gen/ops/fused/team.h"

namespace gen::ops::fused {

inline constexpr int kAdamThreads = 256;
inline constexpr int kAdamVector = 4;
inline constexpr int64_t kAdamPerBlock = int64_t{kAdamThreads} * kAdamVector * 2;
inline constexpr int kAdamTensors = 40;

struct AdamHyper {
  double learning_rate = 0, beta1 = 0, beta2 = 0;
  float eps = 0, gradient_scale = 1, average_weight = 0;
};

/// The tensors of one launch. `average` may hold nulls.
struct AdamList {
  float *parameter[kAdamTensors], *mean[kAdamTensors], *square[kAdamTensors], *average[kAdamTensors];
  const float *gradient[kAdamTensors], *step[kAdamTensors];
  double weight_decay[kAdamTensors];
  int64_t size[kAdamTensors];
  int64_t first_block[kAdamTensors + 1];  ///< blocks of tensor i: [first_block[i], first_block[i + 1])
  AdamHyper hyper;
  int count;
};
static_assert(sizeof(AdamList) <= 4096, "kernel arguments are limited to 4 KiB");

struct AdamShared {
  float step_size;        ///< lr / (1 - beta1^t)
  float root_correction;  ///< 1 / sqrt(1 - beta2^t)
};

struct AdamElement {
  float parameter, mean, square;
};
GEN_HOST_DEVICE AdamElement adam_update(AdamElement e, float gradient, const AdamHyper& h, float keep,
                                        const AdamShared& s) {
  const float g = gradient * h.gradient_scale;
  e.mean += (g - e.mean) * static_cast<float>(1 - h.beta1);
  e.square += (g * g - e.square) * static_cast<float>(1 - h.beta2);
  e.parameter = e.parameter * keep - s.step_size * e.mean / (sqrtf(e.square) * s.root_correction + h.eps);
  return e;
}

/// V elements at i of one tensor.
template <int V>
GEN_HOST_DEVICE void adam_elements(const AdamList& list, int tensor, int64_t i, float keep,
                                   const AdamShared& shared) {
  float p[V], g[V], m[V], v[V];
  load<V>(list.parameter[tensor] + i, p);
  load<V>(list.gradient[tensor] + i, g);
  load<V>(list.mean[tensor] + i, m);
  load<V>(list.square[tensor] + i, v);
  for (int k = 0; k < V; ++k) {
    const AdamElement e = adam_update({p[k], m[k], v[k]}, g[k], list.hyper, keep, shared);
    p[k] = e.parameter;
    m[k] = e.mean;
    v[k] = e.square;
  }
  store<V>(list.parameter[tensor] + i, p);
  store<V>(list.mean[tensor] + i, m);
  store<V>(list.square[tensor] + i, v);
  float* average = list.average[tensor];
  if (!average) return;
  float a[V];
  load<V>(average + i, a);
  for (int k = 0; k < V; ++k) a[k] += list.hyper.average_weight * (p[k] - a[k]);
  store<V>(average + i, a);
}

GEN_HOST_DEVICE bool adam_aligned(const AdamList& list, int tensor) {
  const auto bits =
      reinterpret_cast<uintptr_t>(list.parameter[tensor]) |
      reinterpret_cast<uintptr_t>(list.gradient[tensor]) | reinterpret_cast<uintptr_t>(list.mean[tensor]) |
      reinterpret_cast<uintptr_t>(list.square[tensor]) | reinterpret_cast<uintptr_t>(list.average[tensor]);
  return bits % 16 == 0;
}

/// A block for each kAdamPerBlock elements of a tensor.
template <class Team>
GEN_HOST_DEVICE void adam_block(const Team& team, const AdamList& list, AdamShared& shared) {
  int tensor = 0;
  while (team.block() >= list.first_block[tensor + 1]) ++tensor;
  const AdamHyper& h = list.hyper;
  if (team.thread() == 0) {
    const auto t = static_cast<double>(*list.step[tensor]);
    shared.step_size = static_cast<float>(h.learning_rate / (1 - pow(h.beta1, t)));
    shared.root_correction = static_cast<float>(1 / sqrt(1 - pow(h.beta2, t)));
  }
  team.sync();
  const auto keep = static_cast<float>(1 - h.learning_rate * list.weight_decay[tensor]);
  const int64_t begin = (team.block() - list.first_block[tensor]) * kAdamPerBlock;
  const int64_t end = begin + kAdamPerBlock < list.size[tensor] ? begin + kAdamPerBlock : list.size[tensor];
  const bool vectors = adam_aligned(list, tensor);
  for (int64_t i = begin + int64_t{team.thread()} * kAdamVector; i < end;
       i += int64_t{team.threads()} * kAdamVector) {
    if (vectors && i + kAdamVector <= end) {
      adam_elements<kAdamVector>(list, tensor, i, keep, shared);
    } else {
      const int64_t stop = i + kAdamVector < end ? i + kAdamVector : end;
      for (int64_t j = i; j < stop; ++j) adam_elements<1>(list, tensor, j, keep, shared);
    }
  }
}

/// The launcher exported by libgen_cuda.so, for a list whose blocks are counted. Returns a cudaError_t.
using AdamLauncher = int (*)(const AdamList* list, void* stream);
inline constexpr const char* kAdamSymbol = "gen_cuda_adamw";

}  // namespace gen::ops::fused
