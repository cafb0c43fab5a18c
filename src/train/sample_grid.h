// A picture of what the model samples, from noise that is the same each time.
#pragma once

#include <filesystem>
#include <optional>

#include "gen/io/image.h"
#include "train/session.h"

namespace gen {

/// Draws `train.sample_count` samples with the averaged weights where there are some: images as a grid,
/// points as a scatter plot. Empty where a stop was asked for meanwhile. Throws NumericalError where samples are not
/// finite: a picture would paint them black.
std::optional<Image> sample_grid(Session& session, const ExperimentOptions& experiment);
/// tEXt of such a picture: seed, step, config hash.
Metadata picture_notes(const ExperimentOptions& experiment, int64_t step);

}  // namespace gen
