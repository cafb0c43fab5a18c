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
  Split split() const override { return table_.split; }
  int64_t size() const override { return static_cast<int64_t>(table_.labels.size()); }

  Example get(int64_t index, HostRng* augmentation) const override {
    GEN_CHECK(index >= 0 && index < size(), "example {} of {}", index, size());
    if (const auto wrong = table_.wrong.find(index); wrong != table_.wrong.end())
      throw DataError(wrong->second);
    const auto bytes = static_cast<size_t>(table_.spec.dims());
    Example example;
    example.x = at::empty(table_.spec.shape, at::kByte);
    auto* pixels = example.x.mutable_data_ptr<uint8_t>();
    std::memcpy(pixels, table_.pixels.data() + static_cast<size_t>(index) * bytes, bytes);
    if (table_.random_flip && augmentation != nullptr && augmentation->below(2) == 1)
      flip_rows(pixels, table_.spec.dims() / width(), width());
    example.label = table_.labels[static_cast<size_t>(index)];
    return example;
  }
  BadExampleOptions bad_examples() const override { return table_.bad_examples; }

 private:
  int64_t width() const { return table_.spec.shape[2]; }

  ImageTable table_;
};

constexpr size_t kTold = 20;

std::string told(const std::map<int64_t, std::string>& wrong) {
  std::string text;
  size_t count = 0;
  for (const auto& [index, what] : wrong)
    if (++count <= kTold) text += (text.empty() ? "" : "\n  ") + what;
  if (count > kTold) text += fmt::format("\n  and {} more", count - kTold);
  return text + "\n  data.on_error \"skip\" passes over them";
}

}  // namespace

std::unique_ptr<Dataset> make_in_memory_images(ImageTable table) {
  GEN_CHECK(table.pixels.size() == table.labels.size() * static_cast<size_t>(table.spec.dims()),
            "{} pixels for {} labels of [{}]", table.pixels.size(), table.labels.size(),
            fmt::join(table.spec.shape, ", "));
  if (!table.wrong.empty() && table.bad_examples.on_error == OnError::error)
    throw DataError(told(table.wrong));
  return std::make_unique<InMemoryImages>(std::move(table));
}

}  // namespace gen
