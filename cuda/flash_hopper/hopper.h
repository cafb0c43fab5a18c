// Forward attention for sm_90a: TMA, wgmma and warp specialisation. The kernels of cuda/flash serve
// everything else.
#pragma once

#include <cuda_runtime_api.h>

#include "gen/ops/flash/problem.h"

namespace gen::flash_hopper {

/// Whether `forward` takes this problem: bfloat16 or float16; head dimension 64, 128 or 256; full, causal or
/// windowed attention of either alignment, grouped heads, any Lq and Lk; rows, heads and batches 16-byte
/// aligned and dense enough for a tensor map. Not taken: soft cap, key masks, bias, ALiBi, dropout, packed
/// batches, caches being filled. A function of the problem alone: whether the current device is sm_90 is the
/// caller's question.
bool supports(const ops::flash::Problem& problem);

/// Enqueues one kernel on `stream` and returns the CUDA error, 0 on success. `supports(problem)` must hold.
/// Writes out and, where result.lse is not null, lse: as ops::flash::Problem says, -infinity for rows that
/// see no key. Fails with cudaErrorNotSupported where the driver has no cuTensorMapEncodeTiled (before CUDA
/// 12).
int forward(const ops::flash::Problem& problem, const ops::flash::ForwardResult& result, cudaStream_t stream);

}  // namespace gen::flash_hopper
