// Functions that a CUDA kernel and the CPU's code share, written once.
#pragma once

// GEN_DEVICE: the kernel's only, but compiled for the CPU by its tests, with a machine of theirs as template argument.
#if defined(__CUDACC__)
#define GEN_HOST_DEVICE __host__ __device__ __forceinline__
#define GEN_DEVICE __device__ __forceinline__
#else
#define GEN_HOST_DEVICE inline
#define GEN_DEVICE inline
#endif
