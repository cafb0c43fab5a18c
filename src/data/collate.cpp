#include "data/collate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>

#include "gen/core/check.h"

namespace gen {
namespace {

void copy_points(const Example& example, float* out, int64_t count, int64_t index) {
  const float* in = example.x.data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(in[i]))
      throw DataError(
          fmt::format("example {} of the data: value {} is {}; remove or repair it, training would only "
                      "spread it",
                      index, i, in[i]));
    out[i] = in[i];
  }
}

void check_example(const Example& example, const DataSpec& spec, int64_t index) {
  const auto dtype = spec.kind == DataKind::images ? at::kByte : at::kFloat;
  GEN_CHECK(
      example.x.sizes().vec() == spec.shape && example.x.scalar_type() == dtype && example.x.is_contiguous(),
      "example {} is {} [{}], its data set says [{}]", index, at::toString(example.x.scalar_type()),
      fmt::join(example.x.sizes(), ", "), fmt::join(spec.shape, ", "));
  GEN_CHECK(spec.num_classes == 0 || (example.label >= 0 && example.label < spec.num_classes),
            "example {} has label {} of {} classes", index, example.label, spec.num_classes);
}

}  // namespace

void bytes_to_unit_floats(const uint8_t* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) / 255.0F;
}

Batch collate(const Dataset& dataset, std::vector<int64_t> indices,
              const std::function<HostRng(int64_t)>& rng_of, const std::function<bool()>& cancelled) {
  const DataSpec& spec = dataset.spec();
  const auto rows = static_cast<int64_t>(indices.size());
  const int64_t dims = spec.dims();
  std::vector<int64_t> shape{rows};
  shape.insert(shape.end(), spec.shape.begin(), spec.shape.end());
  Batch batch;
  batch.x = at::empty(shape, at::kFloat);
  if (spec.num_classes > 0) batch.label = at::empty({rows}, at::kLong);
  float* x = batch.x.mutable_data_ptr<float>();
  for (int64_t row = 0; row < rows; ++row) {
    if (cancelled && cancelled()) break;
    const int64_t index = indices[static_cast<size_t>(row)];
    HostRng rng = rng_of(row);
    Example example = dataset.get(index, rng);
    check_example(example, spec, index);
    if (spec.kind == DataKind::images)
      bytes_to_unit_floats(example.x.data_ptr<uint8_t>(), x + row * dims, dims);
    else
      copy_points(example, x + row * dims, dims, index);
    if (spec.num_classes > 0) batch.label.mutable_data_ptr<int64_t>()[row] = example.label;
    if (spec.captions) batch.captions.push_back(std::move(example.caption));
  }
  batch.indices = std::move(indices);
  return batch;
}

}  // namespace gen
