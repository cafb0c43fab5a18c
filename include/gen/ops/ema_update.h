// The exponential moving average of many tensors in one call.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace gen::ops {

/// averages[i] += weight * (values[i] - averages[i]), in place, for all i; weight in [0, 1]. Both lists hold tensors
/// of equal shapes, dtype float32 and device. On CUDA one launch of our kernel updates up to 48 tensors
/// (cuda/ema_update.cu), or torch's own loop where libgen_cuda.so is missing. Throws ShapeError on a mismatch.
void ema_update_(const std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& values, double weight);

/// The launcher exported by libgen_cuda.so; pointers and sizes are host arrays of `num_tensors`. Returns a cudaError_t.
using EmaUpdateLauncher = int (*)(float* const* averages, const float* const* values, const int64_t* sizes,
                                  int num_tensors, float weight, void* stream);
inline constexpr const char* kEmaUpdateSymbol = "gen_cuda_ema_update";

}  // namespace gen::ops
