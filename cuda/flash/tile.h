// The tile table: how much of a problem one thread block of the sm_80 kernels works on, and what it keeps where.
#pragma once

#include "flash/fragment.h"

namespace gen::flash {

constexpr int kMostSharedBytes = 163 * 1024;  // of a thread block on sm_80

/// What all kernels of a head dimension share: products over the head dimension take steps of 16, results over it are
/// tiles of 8 columns. Dim = 40 and 72 lose only the zeros up to 48 and 80 of the first.
template <int Dim>
struct HeadTile {
  static constexpr int kDim = Dim;
  static constexpr int kInner = round_up(Dim, 16);
  static constexpr int kOuter = round_up(Dim, 8);
  using Shared = SharedTile<kInner>;
};

/// Forward: each of 4 warps keeps 16 kRowTiles rows of queries; registers a thread: kRowTiles (Dim / 2 outputs + kKeys / 2
/// scores).
template <int Dim, bool General>
struct ForwardTile : HeadTile<Dim> {
  static constexpr int kWarps = 4, kThreads = kWarps * kLanes;
  static constexpr int kRowTiles = !General && Dim <= 128 ? 2 : 1;
  static constexpr int kRows = 16 * kRowTiles * kWarps;
  static constexpr int kKeys = Dim <= 40 ? 96 : (kRowTiles == 2 ? Dim > 80 : General&& Dim > 160) ? 32 : 64;
  using Shared = SharedTile<HeadTile<Dim>::kInner>;

  static constexpr uint32_t kQuery = 0, kKey = Shared::bytes(kRows), kValue = kKey + Shared::bytes(kKeys);
  static constexpr uint32_t kSharedBytes = kValue + Shared::bytes(kKeys);
  static_assert(kSharedBytes <= kMostSharedBytes, "shared memory of a thread block on sm_80");
};

/// dK and dV: each warp keeps 16 rows of keys (and a 1 / kSplit of the columns of their gradients), and meets the queries
/// in tiles of kQueries, loaded one ahead. Registers a thread: Dim / kSplit gradients + kQueries scores and gradients.
template <int Dim, bool General>
struct KeyGradTile : HeadTile<Dim> {
  static constexpr int kSplit = Dim > 128 ? 2 : 1;
  static constexpr int kWarps = 4 * kSplit, kThreads = kWarps * kLanes;
  static constexpr int kKeys = 64;
  static constexpr int kQueries = Dim > 96 ? 16 : General || Dim > 64 ? 32 : 64;
  // Of a warp's gradients; the parts of D = 160 overlap, for a part begins at a multiple of 64.
  static constexpr int kColumns = kSplit == 1 ? HeadTile<Dim>::kOuter : Dim == 160 ? 96 : Dim / 2;
  GEN_HOST_DEVICE static constexpr int column(int split) {
    return split * (HeadTile<Dim>::kOuter - kColumns);
  }
  static constexpr int kStages = 2;
  using Shared = SharedTile<HeadTile<Dim>::kInner>;
  using Scores = SharedTile<kQueries>;  // dS^T, for the atomic dQ

  static constexpr uint32_t kKey = 0, kValue = Shared::bytes(kKeys);
  GEN_HOST_DEVICE static constexpr uint32_t query(int stage) {
    return 2 * Shared::bytes(kKeys) + static_cast<uint32_t>(stage) * 2 * Shared::bytes(kQueries);
  }
  GEN_HOST_DEVICE static constexpr uint32_t grad_out(int stage) {
    return query(stage) + Shared::bytes(kQueries);
  }
  static constexpr uint32_t kGradScores = 2 * Shared::bytes(kKeys) + kStages * 2 * Shared::bytes(kQueries);
  /// Of each query: log-sum-exp and delta, float32.
  GEN_HOST_DEVICE static constexpr uint32_t rows(int stage) {
    return kGradScores + Scores::bytes(kKeys) + static_cast<uint32_t>(stage) * 2 * kQueries * 4;
  }
  static constexpr uint32_t kSharedBytes = kGradScores + Scores::bytes(kKeys) + kStages * 2 * kQueries * 4;
  static_assert(kSharedBytes <= kMostSharedBytes, "shared memory of a thread block on sm_80");
};

/// dQ: each of 4 warps keeps 16 rows of queries and meets the keys in tiles of kKeys, loaded one ahead.
template <int Dim, bool General>
struct QueryGradTile : HeadTile<Dim> {
  static constexpr int kWarps = 4, kThreads = kWarps * kLanes;
  static constexpr int kRows = 16 * kWarps;
  static constexpr int kKeys = Dim <= 128 ? 64 : General && Dim > 160 ? 16 : 32;
  static constexpr int kStages = 2;
  using Shared = SharedTile<HeadTile<Dim>::kInner>;

  static constexpr uint32_t kQuery = 0, kGradOut = Shared::bytes(kRows);
  GEN_HOST_DEVICE static constexpr uint32_t key(int stage) {
    return 2 * Shared::bytes(kRows) + static_cast<uint32_t>(stage) * 2 * Shared::bytes(kKeys);
  }
  GEN_HOST_DEVICE static constexpr uint32_t value(int stage) { return key(stage) + Shared::bytes(kKeys); }
  static constexpr uint32_t kSharedBytes = 2 * Shared::bytes(kRows) + kStages * 2 * Shared::bytes(kKeys);
  static_assert(kSharedBytes <= kMostSharedBytes, "shared memory of a thread block on sm_80");
};

}  // namespace gen::flash
