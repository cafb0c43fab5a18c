// The table of vectors, one for each class, that networks add to the embedding of the time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "gen/config/option_error.h"

namespace gen {

/// Fills `num_class_embeds` from the data's `num_classes` (0: the model is not conditioned on them) where it is null.
/// Mistakes: a table where no label is given, or with fewer vectors than there are classes.
void fit_num_class_embeds(std::optional<int64_t>& num_class_embeds, int64_t num_classes,
                          OptionMistakes& mistakes);

/// Throws ShapeError, naming `network`, unless labels are [batch] (and, on a CPU, within [0, num_classes)).
void check_class_labels(const char* network, const at::Tensor& labels, int64_t batch, int64_t num_classes);

}  // namespace gen
