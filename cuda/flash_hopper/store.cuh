// The end of a query tile: normalised outputs and log-sum-exp from registers to memory.
#pragma once

#include "flash_hopper/matrix.cuh"

namespace gen::flash_hopper {

GEN_DEVICE void butterfly(uint32_t (&word)[4], int lane) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit <<= 1)
#pragma unroll
    for (int index = 0; index < 4; ++index) {
      if ((index & bit) != 0) continue;
      const uint32_t sent = butterfly_send(word, lane, bit, index);
      butterfly_receive(word, lane, bit, index, __shfl_xor_sync(0xffffffffU, sent, bit));
    }
}

/// Divides by the rows' sums and writes out and lse; each lane writes 16 bytes at once.
template <typename Tile, typename T>
GEN_DEVICE void store(const Arguments& args, const Work& work, int first_row, int thread,
                      const RowState& state, Output<Tile>& out) {
  using Out = Output<Tile>;
  float factor[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + accumulator_row(thread, 2 * half);
    const float sum = across_quad_sum(state.sum[half]);
    factor[half] = normaliser(sum);
    if (args.lse != nullptr && thread % 4 == 0 && row < args.lq)
      args.lse[work.batch * args.lse_batch_stride + work.head * args.lse_head_stride + row] =
          log_sum_exp(state.maximum[half], sum, args.scale);
  }
  scale_rows(out, factor);
  T* const head =
      static_cast<T*>(args.out) + work.batch * args.out_strides.batch + work.head * args.out_strides.head;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first_row + accumulator_row(thread, 2 * half);
    T* const line = head + row * args.out_strides.row;
#pragma unroll
    for (int slice = 0; slice < Out::kSlices; ++slice)
#pragma unroll
      for (int group = 0; group < Out::kColumns / 8; group += 4) {
        uint32_t word[4];
#pragma unroll
        for (int w = 0; w < 4; ++w) {
          const int r = 4 * (group + w) + 2 * half;
          word[w] = pack<T>(out.value[slice][r], out.value[slice][r + 1]);
        }
        butterfly(word, thread % 4);
        if (row < args.lq)
          *reinterpret_cast<uint4*>(line + slice * Out::kColumns + 8 * (group + thread % 4)) =
              make_uint4(word[0], word[1], word[2], word[3]);
      }
  }
}

}  // namespace gen::flash_hopper
