#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>

namespace gen {

/// Times gen::ops::attention and each backend of at::scaled_dot_product_attention in turn, on random bfloat16
/// inputs (float32 on a CPU): rows of {shape, backend, forward_ms, backward_ms, forward_tflops} with medians,
/// or {..., refused: why}. backward_ms is forward and backward together. `small` makes shapes that a CPU
/// manages.
nlohmann::json bench_attention(at::Device device, bool small);

}  // namespace gen
