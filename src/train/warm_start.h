// A new run that begins at the weights of an old one (gen train --init-from).
#pragma once

#include "gen/config/json.h"
#include "gen/models/model.h"
#include "gen/train/trainer.h"

namespace gen {

/// Copies the weights of `warm` into the model, averaged ones where the source has some, by name and shape. Returns where they
/// came from, for run.json: {"source", "kind", "file", "xxh64"} and, of a run, {"step", "weights", "config_hash"}. Throws
/// DataError naming every tensor that is missing, unexpected or of another shape.
Json begin_at(const WarmStart& warm, Model& model);

/// The same again, for a run that was killed before its first checkpoint. Throws DataError where the file is another one now.
void begin_again_at(const Json& provenance, Model& model);

}  // namespace gen
