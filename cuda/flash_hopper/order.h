// In which order one thread block loads and computes, and by which barriers its warps wait for each other.
// Written over a Machine: the kernel's issues TMA and wgmma, that of the CPU's tests emulates them, so the
// tests run this order.
#pragma once

#include "flash_hopper/schedule.h"
#include "flash_hopper/tile.h"

namespace gen::flash_hopper {

/// The barriers behind the tiles in shared memory. Full: one arrival and the bytes of the copies. Empty: one
/// arrival from each warp that reads.
template <typename Tile>
struct Barriers {
  uint32_t base;  // shared address
  GEN_HOST_DEVICE uint32_t at(int index) const { return base + 8 * static_cast<uint32_t>(index); }
  GEN_HOST_DEVICE uint32_t query_full() const { return at(0); }
  GEN_HOST_DEVICE uint32_t query_empty() const { return at(1); }
  GEN_HOST_DEVICE uint32_t key_full(int stage) const { return at(2 + stage); }
  GEN_HOST_DEVICE uint32_t key_empty(int stage) const { return at(2 + Tile::kStages + stage); }
  GEN_HOST_DEVICE uint32_t value_full(int stage) const { return at(2 + 2 * Tile::kStages + stage); }
  GEN_HOST_DEVICE uint32_t value_empty(int stage) const { return at(2 + 3 * Tile::kStages + stage); }

  template <typename Machine>
  GEN_DEVICE void initialise(Machine& machine) const {
    constexpr int kReaders = Tile::kConsumers * 4;
    machine.init(query_full(), 1);
    machine.init(query_empty(), kReaders);
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      machine.init(key_full(stage), 1);
      machine.init(key_empty(stage), kReaders);
      machine.init(value_full(stage), 1);
      machine.init(value_empty(stage), kReaders);
    }
  }
};

/// Where a warp stands in the rings of stages, over all its query tiles.
template <typename Tile>
struct Progress {
  Ring<1> query;
  Ring<Tile::kStages> key, value;
};

/// The loads of one query tile. K runs one tile ahead of V, as `attend` uses them.
template <typename Tile, typename Machine>
GEN_DEVICE void load(const KeyTiles& tiles, const Barriers<Tile>& barriers, Progress<Tile>& at,
                     Machine& machine) {
  const auto load_key = [&](int tile) {
    machine.wait(barriers.key_empty(at.key.stage), at.key.phase ^ 1U);
    machine.load_key(barriers.key_full(at.key.stage), at.key.stage, tile);
    at.key.advance();
  };
  const auto load_value = [&](int tile) {
    machine.wait(barriers.value_empty(at.value.stage), at.value.phase ^ 1U);
    machine.load_value(barriers.value_full(at.value.stage), at.value.stage, tile);
    at.value.advance();
  };
  machine.wait(barriers.query_empty(), at.query.phase ^ 1U);
  machine.load_query(barriers.query_full());
  at.query.advance();
  load_key(tiles.end - 1);
  for (int tile = tiles.end - 2; tile >= tiles.begin; --tile) {
    load_key(tile);
    load_value(tile + 1);
  }
  load_value(tiles.begin);
}

/// One warpgroup's rows against all key tiles, the last first. The scores of tile j are enqueued together
/// with the outputs of tile j + 1, which came before it, and the softmax of tile j runs while the latter are
/// computed.
template <bool Masked, typename Tile, typename Machine>
GEN_DEVICE void attend(const KeyTiles& tiles, const Barriers<Tile>& barriers, Progress<Tile>& at,
                       Machine& machine) {
  const auto begin_scores = [&] {
    machine.wait(barriers.key_full(at.key.stage), at.key.phase);
    machine.enqueue_scores(at.key.stage);
  };
  const auto release_key = [&] {
    machine.arrive(barriers.key_empty(at.key.stage));
    at.key.advance();
  };
  const auto begin_outputs = [&] {
    machine.wait(barriers.value_full(at.value.stage), at.value.phase);
    machine.enqueue_outputs(at.value.stage);
  };
  const auto end_outputs = [&] {
    machine.finish_outputs();
    machine.arrive(barriers.value_empty(at.value.stage));
    at.value.advance();
  };
  machine.wait(barriers.query_full(), at.query.phase);
  at.query.advance();
  begin_scores();
  machine.template finish_scores<0>();
  release_key();
  machine.softmax(tiles.end - 1, true);  // the first tile may end in a tail even where nothing else is masked
  machine.to_operand();
  for (int tile = tiles.end - 2; tile >= tiles.begin; --tile) {
    begin_scores();
    begin_outputs();
    machine.template finish_scores<1>();  // with the outputs still pending
    release_key();
    machine.softmax(tile, Masked);
    end_outputs();
    machine.rescale();
    machine.to_operand();
  }
  machine.arrive(barriers.query_empty());
  begin_outputs();
  end_outputs();
}

}  // namespace gen::flash_hopper
