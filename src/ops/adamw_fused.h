// adamw_ on either device.
#pragma once

#include "gen/ops/adamw.h"
#include "gen/ops/fused/adamw.h"
#include "ops/simd/kernels.h"

namespace gen::ops {

namespace cpu {
void adamw(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args,
           const simd::Kernels& kernels = simd::kernels());
}  // namespace cpu

namespace cuda {
/// `launch` is what works on a list; by default the GPU.
void adamw(const std::vector<AdamWTensor>& tensors, const AdamWArgs& args,
           fused::AdamLauncher launch = nullptr);
}  // namespace cuda

}  // namespace gen::ops
