// Examples to a batch, on the host, without ATen's loops: loader threads must not start OpenMP teams.
#pragma once

#include <functional>
#include <vector>

#include "gen/data/dataset.h"

namespace gen {

/// The examples `indices` of `dataset`, each read with the generator that rng_of(row) gives; x float32 [B,
/// *shape], images as k/255. Throws DataError naming the example where a point is not finite. Stops early,
/// returning an unfinished batch, once `cancelled` says so.
Batch collate(const Dataset& dataset, std::vector<int64_t> indices,
              const std::function<HostRng(int64_t)>& rng_of, const std::function<bool()>& cancelled = {});

/// out[i] = in[i] / 255, rounded as float32 division rounds.
void bytes_to_unit_floats(const uint8_t* in, float* out, int64_t count);

}  // namespace gen
