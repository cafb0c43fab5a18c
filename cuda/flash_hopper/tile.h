// The tile table of the Hopper kernels: which part of the problem one thread block works on and what it keeps
// where.
#pragma once

#include "flash_hopper/layout.h"

namespace gen::flash_hopper {

/// Query rows are split over warpgroups of 64; one more warpgroup only loads. Accumulators per thread: kKeys
/// / 2 scores and Dim / 2 outputs (float32), kKeys / 4 registers of probabilities.
template <int Dim>
struct TileShape;
template <>
struct TileShape<64> {
  static constexpr int kConsumers = 3, kKeys = 128;
};
template <>
struct TileShape<128> {
  static constexpr int kConsumers = 2, kKeys = 128;
};
template <>
struct TileShape<256> {
  static constexpr int kConsumers = 2, kKeys = 80;  // the most that two stages leave room for
};

/// Bytes of dynamic shared memory, from a base aligned to kAtomBytes: Q, then the stages of K, those of V,
/// barriers.
template <int Dim>
struct Tile : TileShape<Dim> {
  using TileShape<Dim>::kConsumers;
  using TileShape<Dim>::kKeys;
  static constexpr int kDim = Dim;
  static constexpr int kStages = 2;
  static constexpr int kRows = kConsumers * kWarpgroupRows;
  static constexpr int kThreads = (kConsumers + 1) * 128;
  // setmaxnreg: what the loading warpgroup gives up, the others take; multiples of 8, together within 64 K
  // registers.
  static constexpr int kProducerRegisters = kConsumers == 2 ? 24 : 32;
  static constexpr int kConsumerRegisters = kConsumers == 2 ? 240 : 160;

  static constexpr int kBlocks = Dim / kBlockColumns;
  static constexpr uint32_t kQueryBytes = kRows * Dim * 2;
  static constexpr uint32_t kStageBytes = kKeys * Dim * 2;
  GEN_HOST_DEVICE static constexpr uint32_t query() { return 0; }
  GEN_HOST_DEVICE static constexpr uint32_t key(int stage) { return kQueryBytes + stage * kStageBytes; }
  GEN_HOST_DEVICE static constexpr uint32_t value(int stage) {
    return kQueryBytes + (kStages + stage) * kStageBytes;
  }
  static constexpr uint32_t kBarriers = kQueryBytes + 2 * kStages * kStageBytes;
  static constexpr uint32_t kSharedBytes = kBarriers + 8 * (2 + 4 * kStages);

  static_assert(Dim % kBlockColumns == 0 && kKeys % kStepK == 0);
  static_assert(kQueryBytes % kAtomBytes == 0 && kStageBytes % kAtomBytes == 0,
                "tiles begin at swizzle atoms");
  static_assert(kSharedBytes <= 227 * 1024, "shared memory of a thread block on sm_90");
  static_assert(128 * (kProducerRegisters + kConsumers * kConsumerRegisters) <= 65536,
                "registers of a multiprocessor");
};

}  // namespace gen::flash_hopper
