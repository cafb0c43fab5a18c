// Whether there is room for samples before they are drawn.
#pragma once

#include <filesystem>
#include <string>

#include "gen/train/trainer.h"

namespace gen::cli {

/// Throws OutOfMemoryError where sample.count of them, kept until all are drawn (every format but PNGs of images), or
/// sample.batch_size of them at once do not fit in memory, IoError where the disk under `out` has no room for so many files.
void require_room_for_samples(const LoadedRun& loaded, const std::string& format,
                              const std::filesystem::path& out);

/// model.sample(request). Throws OutOfMemoryError where memory runs out, saying whether so many samples at once are too many
/// or a single one is.
Samples draw_batch(Model& model, const SampleRequest& request);

}  // namespace gen::cli
