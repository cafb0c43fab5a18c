// What happens to a score between q k^T and the softmax, and to a probability after it. `Plain` attention has a positive
// scale, and positions alone hide keys; `General` has all options of the contract.
#pragma once

#include <cmath>

#include "flash/head.h"
#include "flash/softmax.h"

namespace gen::flash {

struct Plain {
  const Problem& problem;
  const Head& head;

  static constexpr bool kGeneral = false;
  /// From what `score` returns to powers of two.
  GEN_HOST_DEVICE float factor() const { return problem.scale * kLog2E; }
  /// From what `score` returns to natural units.
  GEN_HOST_DEVICE float unit() const { return problem.scale; }
  GEN_HOST_DEVICE float score(float product, int, int) const { return product; }
  /// d score / d (scale product), given the product.
  GEN_HOST_DEVICE float slope(float) const { return 1; }
  GEN_HOST_DEVICE float keep(int, int) const { return 1; }
};

struct General {
  const Problem& problem;
  const Head& head;

  static constexpr bool kGeneral = true;
  GEN_HOST_DEVICE float factor() const { return kLog2E; }
  GEN_HOST_DEVICE float unit() const { return 1; }
  GEN_HOST_DEVICE float score(float product, int i, int j) const {
    if (i >= head.lq || j >= head.lk) return negative_infinity();
    if (problem.key_mask != nullptr && problem.key_mask[head.batch * problem.key_mask_stride + j] == 0)
      return negative_infinity();
    float x = product * problem.scale;
    if (problem.softcap > 0) x = problem.softcap * tanhf(x / problem.softcap);
    if (problem.bias != nullptr) x += bias(i, j);
    if (problem.alibi_slopes != nullptr) {
      const int64_t distance = i + head.band.diagonal - j;
      x -= problem.alibi_slopes[head.batch * problem.alibi_batch_stride + head.head] *
           static_cast<float>(distance < 0 ? -distance : distance);
    }
    return x;
  }
  GEN_HOST_DEVICE float slope(float product) const {
    if (!(problem.softcap > 0)) return 1;
    const float t = tanhf(product * problem.scale / problem.softcap);
    return 1 - t * t;
  }
  GEN_HOST_DEVICE float keep(int i, int j) const {
    const auto& dropout = problem.dropout;
    if (!dropout.active()) return 1;
    const auto pair = static_cast<uint32_t>(head.batch * problem.heads + head.head);
    return dropout.keeps(static_cast<uint32_t>(i), static_cast<uint32_t>(j), pair) ? dropout.keep_scale()
                                                                                   : 0.0F;
  }

 private:
  GEN_HOST_DEVICE float bias(int i, int j) const {
    const int64_t* s = problem.bias_strides;
    const int64_t at = head.batch * s[0] + head.head * s[1] + i * s[2] + j * s[3];
    switch (problem.bias_dtype) {
      case DType::f32:
        return static_cast<const float*>(problem.bias)[at];
      case DType::f16:
        return ops::fused::to_float(static_cast<const ops::fused::F16*>(problem.bias)[at]);
      default:
        return ops::fused::to_float(static_cast<const ops::fused::Bf16*>(problem.bias)[at]);
    }
  }
};

}  // namespace gen::flash
