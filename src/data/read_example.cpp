#include "data/read_example.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gen/core/check.h"

namespace gen {
namespace {

void check_spec(const Example& example, const DataSpec& spec, int64_t index) {
  const auto dtype = spec.kind == DataKind::images ? at::kByte : at::kFloat;
  GEN_CHECK(
      example.x.sizes().vec() == spec.shape && example.x.scalar_type() == dtype && example.x.is_contiguous(),
      "example {} is {} [{}], its data set says [{}]", index, at::toString(example.x.scalar_type()),
      fmt::join(example.x.sizes(), ", "), fmt::join(spec.shape, ", "));
  GEN_CHECK(spec.num_classes == 0 || (example.label >= 0 && example.label < spec.num_classes),
            "example {} has label {} of {} classes", index, example.label, spec.num_classes);
}

void check_finite(const Example& example, int64_t index) {
  const float* in = example.x.data_ptr<float>();
  for (int64_t i = 0; i < example.x.numel(); ++i)
    if (!std::isfinite(in[i]))
      throw ExampleError(
          fmt::format("example {} of the data: value {} is {}; remove or repair it, training would only "
                      "spread it",
                      index, i, in[i]),
          index);
}

Example get(const Dataset& dataset, int64_t index, HostRng* augmentation) {
  try {
    return dataset.get(index, augmentation);
  } catch (const DataError& error) {
    throw ExampleError(error.what(), index);
  } catch (const IoError& error) {
    throw ExampleError(error.what(), index);
  }
}

}  // namespace

Example read_example(const Dataset& dataset, int64_t index, HostRng* augmentation) {
  Example example = get(dataset, index, augmentation);
  check_spec(example, dataset.spec(), index);
  if (dataset.spec().kind == DataKind::points) check_finite(example, index);
  return example;
}

std::optional<ReadExample> read_readable(const Dataset& dataset, int64_t index,
                                         const std::optional<HostRng>& augmentation, InPlace in_place,
                                         std::vector<BadExample>& skipped) {
  const BadExampleOptions options = dataset.bad_examples();
  for (int64_t tried = 0;; ++tried) {
    const int64_t at = (index + tried) % dataset.size();
    std::optional<HostRng> own = augmentation;
    try {
      return ReadExample{read_example(dataset, at, own ? &*own : nullptr), at};
    } catch (const ExampleError& error) {
      if (options.on_error == OnError::error) throw;
      skipped.push_back({at, error.what()});
      if (in_place == InPlace::nothing) return std::nullopt;
      if (tried >= options.max_skipped) throw ExampleError(budget_spent(error.what(), options), at);
      if (tried + 1 >= dataset.size())
        throw ExampleError(
            fmt::format("{} (and of all {} examples none can be read)", error.what(), dataset.size()), at);
    }
  }
}

}  // namespace gen
