// a += w (v - a) over many tensors: 12 bytes moved and 2 flops per element, so memory bound. CPU twin:
// src/ops/ema_update.cpp.
#include <cuda_runtime.h>

#include <cstdint>

namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 8;
constexpr int64_t kPerBlock = int64_t{kThreads} * kPerThread;
constexpr int kMaxTensors = 48;  // three arrays of 8-byte entries stay well under the 4 KiB of kernel arguments

struct TensorList {
  float* average[kMaxTensors];
  const float* value[kMaxTensors];
  int64_t size[kMaxTensors];
  int64_t first_block[kMaxTensors + 1];  // blocks of tensor i: [first_block[i], first_block[i + 1])
  int count;
};
static_assert(sizeof(TensorList) <= 4096, "kernel arguments are limited to 4 KiB");

__global__ void __launch_bounds__(kThreads) ema_update(const TensorList list, const float weight) {
  int tensor = 0;
  while (static_cast<int64_t>(blockIdx.x) >= list.first_block[tensor + 1]) ++tensor;
  float* __restrict__ average = list.average[tensor];
  const float* __restrict__ value = list.value[tensor];
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) - list.first_block[tensor]) * kPerBlock;
  const int64_t end = min(begin + kPerBlock, list.size[tensor]);
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) average[i] += weight * (value[i] - average[i]);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int gen_cuda_ema_update(float* const* averages,
                                                                          const float* const* values,
                                                                          const int64_t* sizes, int num_tensors,
                                                                          float weight, void* stream) {
  for (int first = 0; first < num_tensors; first += kMaxTensors) {
    TensorList list{};
    list.count = num_tensors - first < kMaxTensors ? num_tensors - first : kMaxTensors;
    for (int i = 0; i < list.count; ++i) {
      list.average[i] = averages[first + i];
      list.value[i] = values[first + i];
      list.size[i] = sizes[first + i];
      list.first_block[i + 1] = list.first_block[i] + (sizes[first + i] + kPerBlock - 1) / kPerBlock;
    }
    const int64_t blocks = list.first_block[list.count];
    if (blocks == 0) continue;
    ema_update<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(list, weight);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return static_cast<int>(error);
  }
  return static_cast<int>(cudaSuccess);
}
