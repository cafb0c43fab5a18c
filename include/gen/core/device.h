// The door to the GPU: libtorch_cuda.so and our libgen_cuda.so are opened when a config asks for them, never at
// start-up.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace gen {

/// "cpu", "cuda", "cuda:N" or "auto" (cuda where a driver and LibTorch's CUDA libraries are there, else cpu).
/// Throws ConfigError, saying what is missing, when cuda is asked for and cannot be had.
at::Device resolve_device(const std::string& name);

/// Our kernels (cuda/): the address of an exported launcher of libgen_cuda.so, or nullptr with the reason in
/// `why` where the library is not there.
void* cuda_symbol(const char* name, std::string* why = nullptr);

}  // namespace gen
