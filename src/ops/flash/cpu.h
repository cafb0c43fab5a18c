// Flash attention on the CPU: blockwise, in float32, never materialising [Lq, Lk] (Dao 2023, algorithms 1 and 2).
#pragma once

#include "gen/ops/flash/problem.h"
#include "ops/simd/kernels.h"

namespace gen::ops::flash::cpu {

/// Fills out and lse. Parallel over batch x heads x blocks of queries; blocks of keys that the band hides are skipped.
void forward(const Problem& problem, const ForwardResult& result,
             const simd::Kernels& kernels = simd::kernels());

/// Fills delta, grad_q, grad_k, grad_v and, where wanted, grad_bias. Deterministic for any number of threads: what several
/// tasks add to is summed for each and added in order.
void backward(const Problem& problem, const BackwardArguments& arguments,
              const simd::Kernels& kernels = simd::kernels());

}  // namespace gen::ops::flash::cpu
