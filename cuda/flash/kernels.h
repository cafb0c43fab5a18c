// The launchers of single kernels, each compiled in a file of its own. They return a cudaError_t.
#pragma once

#include <cuda_runtime_api.h>

#include "flash/plan.h"

namespace gen::flash {

template <int Dim, bool kGeneral>
int launch_forward(const ForwardArguments& arguments, int64_t blocks, cudaStream_t stream);
template <int Dim>
int launch_forward_short(const ForwardArguments& arguments, int64_t blocks, cudaStream_t stream);
template <int Dim, bool kGeneral>
int launch_key_grads(const GradArguments& arguments, int64_t blocks, cudaStream_t stream);
template <int Dim, bool kGeneral>
int launch_query_grads(const GradArguments& arguments, int64_t blocks, cudaStream_t stream);

/// float32 tensors.
template <int Dim>
int launch_scalar_forward(const ForwardArguments& arguments, int64_t blocks, cudaStream_t stream);
template <int Dim>
int launch_scalar_grads(const GradArguments& arguments, int64_t key_blocks, const Order& keys,
                        int64_t query_blocks, const Order& queries, cudaStream_t stream);
/// Any dtype.
template <int Dim>
int launch_bias_grads(const BiasGradArguments& arguments, int64_t blocks, cudaStream_t stream);

int launch_combine(const ForwardArguments& arguments, int64_t blocks, cudaStream_t stream);
int launch_delta(const GradArguments& arguments, int64_t blocks, cudaStream_t stream);
int launch_finish_query_grads(const GradArguments& arguments, int64_t blocks, cudaStream_t stream);

}  // namespace gen::flash
