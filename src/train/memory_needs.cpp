#include "gen/train/memory_needs.h"

#include <fmt/format.h>

#include "gen/core/error.h"
#include "gen/core/memory.h"
#include "gen/core/shapes_only.h"
#include "gen/core/units.h"
#include "gen/models/model.h"
#include "gen/train/optimizer.h"

namespace gen {
namespace {

std::string shown_bytes(int64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

template <class Tensors>
int64_t bytes_of(const Tensors& tensors) {
  int64_t bytes = 0;
  for (const auto& tensor : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

}  // namespace

int64_t MemoryNeeds::num_parameters() const {
  int64_t sum = 0;
  for (const auto& [name, count] : parameters) sum += count;
  return sum;
}

MemoryNeeds memory_needs(const ExperimentOptions& experiment, const DataSpec& data) {
  MemoryNeeds needs;
  with_shapes_only([&] {
    const auto model = models().make(experiment.model, data);
    auto& module = model->module();
    needs.parameters = parameter_counts(module);
    needs.weights_bytes = bytes_of(module.parameters()) + bytes_of(module.buffers());
    for (const auto& parameter : module.parameters())
      if (parameter.requires_grad()) needs.gradients_bytes += static_cast<int64_t>(parameter.nbytes());
    const auto optimizer = optimizers().make(experiment.train.optimizer, parameter_groups(module));
    for (const auto& [name, tensor] : optimizer->state())
      needs.optimizer_bytes += static_cast<int64_t>(tensor.nbytes());
  });
  if (experiment.train.ema.enabled()) needs.ema_bytes = needs.weights_bytes;
  const auto example = data.dims() * static_cast<int64_t>(sizeof(float));
  needs.batch_bytes = experiment.train.batch_size * example;
  return needs;
}

void require_memory_to_train(const MemoryNeeds& needs, const ExperimentOptions& experiment) {
  const FreeMemory free = free_memory();
  const auto refuse = [&](const std::string& what) {
    throw OutOfMemoryError(fmt::format("out of memory before it begins: {}, and {} are free ({})", what,
                                       shown_bytes(free.bytes), free.bound));
  };
  if (needs.lasting_bytes() > free.bytes)
    refuse(fmt::format(
        "the model is too large: its {} parameters take {} to train (weights {}, gradients {}, optimizer {}"
        ", average {})",
        human_count(needs.num_parameters()), shown_bytes(needs.lasting_bytes()),
        shown_bytes(needs.weights_bytes), shown_bytes(needs.gradients_bytes),
        shown_bytes(needs.optimizer_bytes), shown_bytes(needs.ema_bytes)));
  if (needs.batch_bytes > free.bytes - needs.lasting_bytes())
    refuse(
        fmt::format("train.batch_size {} is too large: its data alone take {} (train.gradient_accumulation "
                    "makes up for a "
                    "smaller one)",
                    experiment.train.batch_size, shown_bytes(needs.batch_bytes)));
}

std::string out_of_memory_in_a_step(const TrainOptions& options, const std::string& detail) {
  const FreeMemory free = free_memory();
  const std::string why = fmt::format(
      " ({})", detail.empty() ? fmt::format("{} are free: {}", shown_bytes(free.bytes), free.bound) : detail);
  if (options.batch_size == 1)
    return fmt::format(
        "out of memory with one example at a time, train.batch_size 1{}: a smaller model, or smaller "
        "examples, "
        "are needed",
        why);
  return fmt::format(
      "out of memory with train.batch_size {}{}: halve it and double train.gradient_accumulation",
      options.batch_size, why);
}

}  // namespace gen
