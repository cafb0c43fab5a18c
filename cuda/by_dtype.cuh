// From a dtype known at run time to the element type that a kernel is compiled for.
#pragma once

#include <cuda_runtime.h>

#include "gen/ops/fused/element.h"

namespace gen::ops::fused {

template <class T>
struct Element {
  using type = T;
};

/// body(Element<T>()) for the T of `dtype`.
template <class Body>
int by_dtype(DType dtype, Body body) {
  switch (dtype) {
    case DType::f32:
      return body(Element<float>());
    case DType::bf16:
      return body(Element<Bf16>());
    case DType::f16:
      return body(Element<F16>());
  }
  return cudaErrorInvalidValue;
}

}  // namespace gen::ops::fused
