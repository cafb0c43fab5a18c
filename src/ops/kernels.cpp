#include "ops/simd/kernels.h"

#include <array>
#include <cstring>

namespace gen::ops::simd {
namespace {

#if defined(__x86_64__)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("f16c") != 0;
}
#endif

}  // namespace

const Kernels* kernels_for(const char* instruction_set) {
#if defined(__x86_64__)
  if (std::strcmp(instruction_set, "avx512_bf16") == 0)
    return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0 ? &avx512_bf16::kKernels : nullptr;
  if (std::strcmp(instruction_set, "avx512") == 0) return has_avx512() ? &avx512::kKernels : nullptr;
  if (std::strcmp(instruction_set, "avx2") == 0) return has_avx2() ? &avx2::kKernels : nullptr;
#endif
  return std::strcmp(instruction_set, "baseline") == 0 ? &baseline::kKernels : nullptr;
}

const Kernels& kernels() {
  static const Kernels* const best = [] {
    for (const char* name : {"avx512_bf16", "avx512", "avx2"})
      if (const Kernels* found = kernels_for(name)) return found;
    return &baseline::kKernels;
  }();
  return *best;
}

}  // namespace gen::ops::simd
