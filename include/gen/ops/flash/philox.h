// The counter-based random numbers of attention's dropout: one function for CPU and GPU, forward and backward.
#pragma once

#include <cstdint>

#include "gen/ops/flash/host_device.h"

namespace gen::ops::flash {

struct Philox4 {
  uint32_t word[4];
};

/// Philox4x32-10 (Salmon et al. 2011, Random123): four words from a 128-bit counter and a 64-bit key.
GEN_HOST_DEVICE Philox4 philox(Philox4 counter, uint64_t key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53U, kMultiplier1 = 0xCD9E8D57U;
  constexpr uint32_t kWeyl0 = 0x9E3779B9U, kWeyl1 = 0xBB67AE85U;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kMultiplier0) * c0;
    const uint64_t p1 = static_cast<uint64_t>(kMultiplier1) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

/// Which scores dropout keeps. A score's fate is a function of (seed, offset; row, column, batch * heads + head)
/// alone, so every tile shape, architecture and direction draws the same mask.
struct Dropout {
  float probability = 0;  ///< of dropping, in [0, 1); what is kept is scaled by 1 / (1 - probability)
  uint64_t seed = 0;
  uint32_t offset = 0;

  GEN_HOST_DEVICE bool active() const { return probability > 0; }
  /// A 32-bit word below this is dropped.
  GEN_HOST_DEVICE uint32_t threshold() const {
    return static_cast<uint32_t>(static_cast<double>(probability) * 4294967296.0);
  }
  GEN_HOST_DEVICE float keep_scale() const { return 1.0F / (1.0F - probability); }
  /// The words of columns 4 * column_group .. 4 * column_group + 3 of a row.
  GEN_HOST_DEVICE Philox4 words(uint32_t row, uint32_t column_group, uint32_t batch_head) const {
    return philox({{column_group, row, batch_head, offset}}, seed);
  }
  GEN_HOST_DEVICE bool keeps(uint32_t row, uint32_t column, uint32_t batch_head) const {
    const Philox4 four = words(row, column / 4, batch_head);
    // No index that is known at run time only: it would send the four words of a GPU's thread to memory.
    const uint32_t low = (column & 1U) != 0 ? four.word[1] : four.word[0];
    const uint32_t high = (column & 1U) != 0 ? four.word[3] : four.word[2];
    return ((column & 2U) != 0 ? high : low) >= threshold();
  }
};

}  // namespace gen::ops::flash
