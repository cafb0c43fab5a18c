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

/// What to say where memory ran out while drawing: the batch's fault, or that of a single sample.
std::string out_of_memory_while_drawing(const SampleOptions& options, const std::string& detail);

}  // namespace gen::cli
