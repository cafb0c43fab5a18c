#include "nn/class_labels.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gen/core/error.h"

namespace gen {

void fit_num_class_embeds(std::optional<int64_t>& num_class_embeds, int64_t num_classes,
                          OptionMistakes& mistakes) {
  if (!num_class_embeds && num_classes > 0) num_class_embeds = num_classes;
  if (!num_class_embeds || (num_classes > 0 && *num_class_embeds >= num_classes)) return;
  mistakes.add("/num_class_embeds",
               num_classes == 0
                   ? fmt::format("expected null where the model is not conditioned on labels, got {} (or set "
                                 "model.conditional to true)",
                                 *num_class_embeds)
                   : fmt::format("expected at least {}, the classes of the data, or null, got {}",
                                 num_classes, *num_class_embeds));
}

void check_class_labels(const char* network, const at::Tensor& labels, int64_t batch, int64_t num_classes) {
  if (labels.dim() != 1 || labels.size(0) != batch)
    throw ShapeError(fmt::format("{}: expected class_labels [{}], one for each sample, got [{}]", network,
                                 batch, fmt::join(labels.sizes(), ", ")));
  if (!labels.is_cpu() || batch == 0) return;
  const auto least = labels.min().item<int64_t>(), most = labels.max().item<int64_t>();
  if (least < 0 || most >= num_classes)
    throw ShapeError(
        fmt::format("{}: expected class_labels in [0, {}), got {} to {}", network, num_classes, least, most));
}

}  // namespace gen
