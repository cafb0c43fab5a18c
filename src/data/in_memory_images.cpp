#include "data/in_memory_images.h"

#include <ATen/ATen.h>

#include <cstring>

#include "data/transforms/flip.h"
#include "gen/core/check.h"

namespace gen {
namespace {

class InMemoryImages final : public Dataset {
 public:
  explicit InMemoryImages(ImageTable table) : table_(std::move(table)) {}
  const DataSpec& spec() const override { return table_.spec; }
  int64_t size() const override { return static_cast<int64_t>(table_.labels.size()); }

  Example get(int64_t index, HostRng& rng) const override {
    GEN_CHECK(index >= 0 && index < size(), "example {} of {}", index, size());
    const auto bytes = static_cast<size_t>(table_.spec.dims());
    Example example;
    example.x = at::empty(table_.spec.shape, at::kByte);
    auto* pixels = example.x.mutable_data_ptr<uint8_t>();
    std::memcpy(pixels, table_.pixels.data() + static_cast<size_t>(index) * bytes, bytes);
    if (table_.random_flip && rng.below(2) == 1) flip_rows(pixels, table_.spec.dims() / width(), width());
    example.label = table_.labels[static_cast<size_t>(index)];
    return example;
  }

 private:
  int64_t width() const { return table_.spec.shape[2]; }

  ImageTable table_;
};

}  // namespace

std::unique_ptr<Dataset> make_in_memory_images(ImageTable table, const std::string& source) {
  GEN_CHECK(table.pixels.size() == table.labels.size() * static_cast<size_t>(table.spec.dims()),
            "{} pixels for {} labels of [{}]", table.pixels.size(), table.labels.size(),
            fmt::join(table.spec.shape, ", "));
  for (size_t i = 0; i < table.labels.size(); ++i)
    if (table.labels[i] >= table.spec.num_classes)
      throw DataError(fmt::format("{}: record {}: expected a label in [0, {}], got {}", source, i,
                                  table.spec.num_classes - 1, table.labels[i]));
  return std::make_unique<InMemoryImages>(std::move(table));
}

}  // namespace gen
