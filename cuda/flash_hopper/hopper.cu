#include "flash_hopper/hopper.h"

#include <cmath>

#include "flash_hopper/forward_launch.cuh"
#include "flash_hopper/tensor_map.h"

namespace gen::flash_hopper {
namespace {

using ops::flash::DType;
using ops::flash::Problem;

struct Shapes {
  TensorShape query, key, value;
};
template <int Dim>
Shapes shapes(const Problem& p) {
  return {tensor_shape(p.q_strides, p.lq, p.heads, p.batch, p.dim, Tile<Dim>::kRows),
          tensor_shape(p.k_strides, p.lk, p.kv_heads, p.batch, p.dim, Tile<Dim>::kKeys),
          tensor_shape(p.v_strides, p.lk, p.kv_heads, p.batch, p.dim, Tile<Dim>::kKeys)};
}

// The driver's function, found at run time so that the library links no libcuda; null before CUDA 12.
using Encode = decltype(&cuTensorMapEncodeTiled);
int find_encode(Encode& encode) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult status{};
  if (const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                                                 cudaEnableDefault, &status);
      error != cudaSuccess)
    return static_cast<int>(error);
  if (status != cudaDriverEntryPointSuccess || found == nullptr)
    return static_cast<int>(cudaErrorNotSupported);
  encode = reinterpret_cast<Encode>(found);
  return static_cast<int>(cudaSuccess);
}

bool encode_map(Encode encode, CUtensorMap& map, const void* data, DType dtype, const TensorShape& shape) {
  const cuuint32_t element_strides[4] = {1, 1, 1, 1};
  cuuint64_t sizes[4], strides[3];
  for (int i = 0; i < 4; ++i) sizes[i] = shape.sizes[i];
  for (int i = 0; i < 3; ++i) strides[i] = shape.strides_bytes[i];
  return encode(&map,
                dtype == DType::f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4,
                const_cast<void*>(data), sizes, strides, shape.box, element_strides,
                CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

int multiprocessors(int& count) {
  int device = 0;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return static_cast<int>(error);
  return static_cast<int>(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device));
}

bool out_is_aligned(const ops::flash::ForwardResult& result) {
  const auto& s = result.out_strides;
  return reinterpret_cast<uintptr_t>(result.out) % 16 == 0 && s.row % 8 == 0 && s.head % 8 == 0 &&
         s.batch % 8 == 0;
}

template <int Dim>
int forward_of(const Problem& problem, const ops::flash::ForwardResult& result, cudaStream_t stream) {
  Encode encode = nullptr;
  int processors = 0;
  if (const int error = find_encode(encode); error != cudaSuccess) return error;
  if (const int error = multiprocessors(processors); error != cudaSuccess) return error;
  const Shapes s = shapes<Dim>(problem);
  Arguments args{};
  if (!encode_map(encode, args.query, problem.q, problem.dtype, s.query) ||
      !encode_map(encode, args.key, problem.k, problem.dtype, s.key) ||
      !encode_map(encode, args.value, problem.v, problem.dtype, s.value) || !out_is_aligned(result))
    return static_cast<int>(cudaErrorInvalidValue);
  args.schedule = make_schedule(problem, Tile<Dim>::kRows);
  args.band = problem.band(problem.lq, problem.lk);
  args.narrow_band = narrow(args.band, problem.lq, problem.lk);
  args.lq = static_cast<int>(problem.lq);
  args.lk = static_cast<int>(problem.lk);
  args.group = static_cast<int>(problem.heads / problem.kv_heads);
  args.scale = problem.scale;
  args.scale_log2 = problem.scale * kLog2E;
  args.out = result.out;
  args.out_strides = result.out_strides;
  args.lse = result.lse;
  args.lse_batch_stride = result.lse_batch_stride;
  args.lse_head_stride = result.lse_head_stride;
  const int64_t tiles = args.schedule.size();
  const int blocks = static_cast<int>(tiles < processors ? tiles : processors);
  return launch_forward<Dim>(args, problem.dtype, hides_keys(problem), blocks, stream);
}

bool asks_for_more(const Problem& p) {
  return p.softcap != 0 || p.key_mask != nullptr || p.bias != nullptr || p.alibi_slopes != nullptr ||
         p.dropout.active() || p.cu_seqlens_q != nullptr || p.cu_seqlens_k != nullptr || p.used_k != nullptr;
}

template <int Dim>
bool can_be_loaded(const Problem& p) {
  const Shapes s = shapes<Dim>(p);
  return can_be_mapped(p.q, s.query) && can_be_mapped(p.k, s.key) && can_be_mapped(p.v, s.value);
}

}  // namespace

bool supports(const Problem& problem) {
  if (problem.dtype == DType::f32 || asks_for_more(problem)) return false;
  // A positive scale: the running maximum is of unscaled scores.
  if (!(problem.scale > 0) || !std::isfinite(problem.scale)) return false;
  if (problem.kv_heads < 1 || problem.heads % problem.kv_heads != 0) return false;
  if (problem.batch * problem.heads > (int64_t{1} << 30)) return false;
  switch (problem.dim) {
    case 64:
      return can_be_loaded<64>(problem);
    case 128:
      return can_be_loaded<128>(problem);
    case 256:
      return can_be_loaded<256>(problem);
    default:
      return false;
  }
}

int forward(const Problem& problem, const ops::flash::ForwardResult& result, cudaStream_t stream) {
  switch (problem.dim) {
    case 64:
      return forward_of<64>(problem, result, stream);
    case 128:
      return forward_of<128>(problem, result, stream);
    case 256:
      return forward_of<256>(problem, result, stream);
    default:
      return static_cast<int>(cudaErrorInvalidValue);
  }
}

}  // namespace gen::flash_hopper
