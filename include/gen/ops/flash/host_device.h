// Functions that a CUDA kernel and the CPU's code share, written once.
#pragma once

#if defined(__CUDACC__)
#define GEN_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define GEN_HOST_DEVICE inline
#endif
