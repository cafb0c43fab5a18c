// A warpgroup's two matrix products and what stands between them, on accumulators in registers.
#pragma once

#include "flash/softmax.h"
#include "flash_hopper/arguments.cuh"
#include "flash_hopper/wgmma.cuh"

namespace gen::flash_hopper {

template <typename T>
GEN_DEVICE uint32_t pack(float low, float high);
template <>
GEN_DEVICE uint32_t pack<__nv_bfloat16>(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return reinterpret_cast<const uint32_t&>(pair);
}
template <>
GEN_DEVICE uint32_t pack<__half>(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return reinterpret_cast<const uint32_t&>(pair);
}

/// scores = Q K^T of this warpgroup's 64 rows and one key tile; enqueued, not finished.
template <typename Tile, typename T>
GEN_DEVICE void multiply_scores(float (&scores)[Tile::kKeys / 2], uint64_t query, uint64_t key) {
  wgmma::fence();
#pragma unroll
  for (int step = 0; step < Tile::kDim / kStepK; ++step)
    wgmma::multiply<T>(scores, advance(query, k_major_step(step, Tile::kRows)),
                       advance(key, k_major_step(step, Tile::kKeys)), step > 0);
  wgmma::commit();
}

/// Outputs in slices of at most 128 columns, the registers of one wgmma.
template <typename Tile>
struct Output {
  static constexpr int kColumns = Tile::kDim < 128 ? Tile::kDim : 128;
  static constexpr int kSlices = Tile::kDim / kColumns;
  float value[kSlices][kColumns / 2];
};

template <typename Tile>
GEN_DEVICE void clear(Output<Tile>& out) {
#pragma unroll
  for (int slice = 0; slice < Output<Tile>::kSlices; ++slice)
#pragma unroll
    for (int r = 0; r < Output<Tile>::kColumns / 2; ++r) out.value[slice][r] = 0;
}
template <typename Tile>
GEN_DEVICE void pin(Output<Tile>& out) {
#pragma unroll
  for (int slice = 0; slice < Output<Tile>::kSlices; ++slice) wgmma::pin(out.value[slice]);
}

/// out += P V of one key tile; enqueued, not finished.
template <typename Tile, typename T>
GEN_DEVICE void multiply_outputs(Output<Tile>& out, const uint32_t (&p)[Tile::kKeys / 16][4],
                                 uint64_t value) {
  wgmma::fence();
#pragma unroll
  for (int step = 0; step < Tile::kKeys / kStepK; ++step)
#pragma unroll
    for (int slice = 0; slice < Output<Tile>::kSlices; ++slice) {
      const uint32_t block = mn_major_block(slice * Output<Tile>::kColumns / kBlockColumns, Tile::kKeys);
      wgmma::multiply<T>(out.value[slice], p[step], advance(value, mn_major_step(step) + block));
    }
  wgmma::commit();
}

GEN_DEVICE float across_quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffU, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffU, x, 2));
}
GEN_DEVICE float across_quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffU, x, 1);
  return x + __shfl_xor_sync(0xffffffffU, x, 2);
}

template <typename Tile, typename T>
GEN_DEVICE void pack_operand(const float (&scores)[Tile::kKeys / 2], uint32_t (&p)[Tile::kKeys / 16][4]) {
#pragma unroll
  for (int step = 0; step < Tile::kKeys / 16; ++step)
#pragma unroll
    for (int pair = 0; pair < 4; ++pair)
      p[step][pair] = pack<T>(scores[8 * step + 2 * pair], scores[8 * step + 2 * pair + 1]);
}

template <typename Tile>
GEN_DEVICE void scale_rows(Output<Tile>& out, const float (&factor)[2]) {
#pragma unroll
  for (int slice = 0; slice < Output<Tile>::kSlices; ++slice)
#pragma unroll
    for (int r = 0; r < Output<Tile>::kColumns / 2; ++r) out.value[slice][r] *= factor[accumulator_half(r)];
}

}  // namespace gen::flash_hopper
