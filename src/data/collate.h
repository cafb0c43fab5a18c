// Examples to a batch, on the host, without ATen's loops: loader threads must not start OpenMP teams.
#pragma once

#include <functional>
#include <vector>

#include "data/read_example.h"
#include "gen/data/dataset.h"

namespace gen {

/// The examples `indices` of `dataset`, each augmented from augmentation_of(row), or as they are where that is null;
/// x float32 [B, *shape], images as k/255. One that cannot be read: see read_readable(). Stops early, returning an
/// unfinished batch, once `cancelled` says so.
Batch collate(const Dataset& dataset, const std::vector<int64_t>& indices,
              const std::function<HostRng(int64_t)>& augmentation_of, InPlace in_place,
              const std::function<bool()>& cancelled = {});

/// out[i] = in[i] / 255, rounded as float32 division rounds.
void bytes_to_unit_floats(const uint8_t* in, float* out, int64_t count);

}  // namespace gen
