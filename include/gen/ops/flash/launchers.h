// What libgen_cuda.so exports for attention. Plain functions on plain structs: no torch on either side.
#pragma once

#include <cstddef>

#include "gen/ops/flash/problem.h"

namespace gen::ops::flash {

/// Bytes of device memory that the launch of this problem works in; 0 where none.
using WorkspaceLauncher = size_t (*)(const Problem*, int backward, int deterministic);
/// Fill what the result names, on `stream`. Return 0, a cudaError_t, or a negative number where the problem is refused.
using ForwardLauncher = int (*)(const Problem*, const ForwardResult*, void* workspace, size_t workspace_bytes,
                                void* stream);
using BackwardLauncher = int (*)(const Problem*, const BackwardArguments*, void* workspace,
                                 size_t workspace_bytes, void* stream);

inline constexpr const char* kWorkspaceSymbol = "gen_cuda_flash_workspace";
inline constexpr const char* kForwardSymbol = "gen_cuda_flash_forward";
inline constexpr const char* kBackwardSymbol = "gen_cuda_flash_backward";

}  // namespace gen::ops::flash
