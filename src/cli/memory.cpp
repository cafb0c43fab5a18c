#include "cli/memory.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <atomic>

namespace gen::cli {
namespace {

// Follows what LibTorch's allocators hand out on this thread and those that work for it.
class AllocationCounter final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
    const int64_t now = live_.fetch_add(bytes) + bytes;
    int64_t seen = peak_.load();
    while (now > seen && !peak_.compare_exchange_weak(seen, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak() const { return peak_.load(); }

 private:
  std::atomic<int64_t> live_{0}, peak_{0};
};

Batch random_batch(const DataSpec& data, int64_t count, Rng& rng) {
  std::vector<int64_t> shape{count};
  shape.insert(shape.end(), data.shape.begin(), data.shape.end());
  Batch batch;
  batch.x = data.kind == DataKind::images ? rng.uniform(shape) : rng.normal(shape);
  if (data.num_classes > 0) batch.label = rng.integers(0, data.num_classes, {count});
  for (int64_t i = 0; i < count; ++i) batch.indices.push_back(i);
  if (data.captions) batch.captions.assign(static_cast<size_t>(count), "a caption");
  return batch;
}

int64_t peak_of_a_step(Model& model, const DataSpec& data, int64_t count, int64_t total_steps) {
  Rng rng(/*seed=*/0);  // sizes count, values do not
  const Batch batch = random_batch(data, count, rng);
  const auto counter = std::make_shared<AllocationCounter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
  model.loss(batch, {.step = 0, .total_steps = total_steps, .training = true, .rng = rng}).total.backward();
  return counter->peak();
}

}  // namespace

ActivationMemory measure_activations(Model& model, const DataSpec& data, const TrainOptions& train) {
  auto& module = model.module();
  module.train();
  Rng rng(/*seed=*/0);
  model.initialize(random_batch(data, 4, rng), rng);
  peak_of_a_step(model, data, 2, train.steps);  // gradients and lazily made tensors now exist
  const int64_t two = peak_of_a_step(model, data, 2, train.steps);
  const int64_t four = peak_of_a_step(model, data, 4, train.steps);

  ActivationMemory activations;
  activations.bytes_per_example = std::max<int64_t>(0, (four - two) / 2);
  activations.bytes = std::max<int64_t>(0, two + (train.batch_size - 2) * activations.bytes_per_example);
  return activations;
}

}  // namespace gen::cli
