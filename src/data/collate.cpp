#include "data/collate.h"

#include <ATen/ATen.h>

#include <cstring>
#include <optional>

namespace gen {
namespace {

/// The rows of a batch that is being made.
class Rows {
 public:
  Rows(const Dataset& dataset, int64_t rows) : spec_(dataset.spec()), dims_(spec_.dims()) {
    std::vector<int64_t> shape{rows};
    shape.insert(shape.end(), spec_.shape.begin(), spec_.shape.end());
    batch_.split = dataset.split();
    batch_.x = at::empty(shape, at::kFloat);
    if (spec_.num_classes > 0) batch_.label = at::empty({rows}, at::kLong);
  }
  std::vector<BadExample>& skipped() { return batch_.skipped; }
  void add(ReadExample read) {
    const auto row = static_cast<int64_t>(batch_.indices.size());
    float* x = batch_.x.mutable_data_ptr<float>() + row * dims_;
    if (spec_.kind == DataKind::images)
      bytes_to_unit_floats(read.example.x.data_ptr<uint8_t>(), x, dims_);
    else
      std::memcpy(x, read.example.x.data_ptr<float>(), static_cast<size_t>(dims_) * sizeof(float));
    if (spec_.num_classes > 0) batch_.label.mutable_data_ptr<int64_t>()[row] = read.example.label;
    if (spec_.captions) batch_.captions.push_back(std::move(read.example.caption));
    batch_.indices.push_back(read.index);
  }
  Batch finish() {
    const auto rows = static_cast<int64_t>(batch_.indices.size());
    if (rows == batch_.x.size(0)) return std::move(batch_);
    batch_.x = batch_.x.narrow(0, 0, rows);
    if (batch_.label.defined()) batch_.label = batch_.label.narrow(0, 0, rows);
    return std::move(batch_);
  }

 private:
  const DataSpec& spec_;
  int64_t dims_;
  Batch batch_;
};

}  // namespace

void bytes_to_unit_floats(const uint8_t* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]) / 255.0F;
}

Batch collate(const Dataset& dataset, const std::vector<int64_t>& indices,
              const std::function<HostRng(int64_t)>& augmentation_of, InPlace in_place,
              const std::function<bool()>& cancelled) {
  Rows rows(dataset, static_cast<int64_t>(indices.size()));
  for (size_t row = 0; row < indices.size(); ++row) {
    if (cancelled && cancelled()) break;
    std::optional<HostRng> augmentation;
    if (augmentation_of) augmentation.emplace(augmentation_of(static_cast<int64_t>(row)));
    auto read = read_readable(dataset, indices[row], augmentation, in_place, rows.skipped());
    if (read) rows.add(std::move(*read));
  }
  return rows.finish();
}

}  // namespace gen
