#include "data/image_folder/image_folder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/image_folder/layout.h"
#include "data/image_folder/scan.h"
#include "data/transforms/flip.h"
#include "data/transforms/resize.h"
#include "gen/core/check.h"
#include "gen/core/log.h"
#include "gen/core/text.h"
#include "gen/data/named_files.h"
#include "gen/io/image.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

/// The largest square of the image, in its middle (`rng` null) or anywhere along the longer side.
Region square_of(const Image& image, HostRng* rng) {
  const int64_t side = std::min(image.width, image.height);
  const auto offset = [&](int64_t room) {
    return rng != nullptr ? static_cast<int64_t>(rng->below(static_cast<uint64_t>(room) + 1)) : room / 2;
  };
  return {offset(image.width - side), offset(image.height - side), side, side};
}

class ImageFolder final : public Dataset, public NamedFiles {
 public:
  ImageFolder(const ImageFolderOptions& options, Split split)
      : ImageFolder(options, split, scan_folder(options.path)) {}
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return split_; }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  BadExampleOptions bad_examples() const override { return options_.bad_examples; }
  std::string all_names() const override { return fmt::format("{}", fmt::join(files_, "\n")); }

  Example get(int64_t index, HostRng* augmentation) const override {
    GEN_CHECK(index >= 0 && index < size(), "example {} of {}", index, size());
    const std::string& file = files_[static_cast<size_t>(index)];
    const Image image = read_image(fs::path(options_.path) / file, options_.max_pixels);
    HostRng* rng = split_ == Split::train ? augmentation : nullptr;
    const Region square = square_of(image, options_.crop == Crop::random ? rng : nullptr);
    const Image scaled =
        resize(with_channels(image, options_.channels), square, options_.size, options_.size);
    Example example;
    example.x = channels_first(scaled);
    if (rng != nullptr && options_.random_flip && rng->below(2) == 1)
      flip_rows(example.x.mutable_data_ptr<uint8_t>(), options_.channels * options_.size, options_.size);
    example.label = layout_.class_of(file);
    return example;
  }

 private:
  ImageFolder(const ImageFolderOptions& options, Split split, const ScannedFolder& scanned)
      : options_(options), split_(split), layout_(options, scanned.images) {
    spec_.shape = {options.channels, options.size, options.size};
    for (const auto& name : layout_.classes()) spec_.class_names.push_back(printable_line(name));
    auto sorted = spec_.class_names;
    std::sort(sorted.begin(), sorted.end());
    if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
      throw DataError(fmt::format("{}: two class folders read \"{}\" where they are written; rename one",
                                  options.path, *twice));
    spec_.num_classes = static_cast<int64_t>(spec_.class_names.size());
    for (const auto& file : scanned.images) {
      const Split by_share = split_of(file, options.validation_fraction, options.test_fraction);
      const Split own = layout_.split_of(file).value_or(Split::train);
      if ((own == Split::train ? by_share : own) == split) files_.push_back(file);
    }
    if (split_ == Split::train) tell(scanned);
    for (const auto& file : files_) layout_.class_of(file);  // what has none is told now, not after hours
  }

  /// Once a run, as the training split is opened.
  void tell(const ScannedFolder& scanned) const {
    for (const auto& [level, text] : layout_.remarks())
      log::write(level, fmt::format("{}: {}", options_.path, text));
    const auto level = passed_over_pictures(scanned) ? log::Level::warning : log::Level::info;
    if (const auto text = passed_over_text(scanned); !text.empty())
      log::write(level, fmt::format("{}: {}", options_.path, text));
  }

  /// uint8 [C, H, W].
  static at::Tensor channels_first(const Image& image) {
    auto planes = at::empty({image.channels, image.height, image.width}, at::kByte);
    auto* out = planes.mutable_data_ptr<uint8_t>();
    const int64_t area = image.width * image.height;
    for (int64_t i = 0; i < area; ++i)
      for (int64_t c = 0; c < image.channels; ++c)
        out[c * area + i] = image.pixels[static_cast<size_t>(i * image.channels + c)];
    return planes;
  }

  ImageFolderOptions options_;
  Split split_;
  FolderLayout layout_;
  DataSpec spec_;
  std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Dataset> make_image_folder(const ImageFolderOptions& options, Split split) {
  if (options.path.empty())
    throw ConfigError(
        "image_folder needs data.path, a folder with .png, .jpg or .jpeg files: --set data.path=FOLDER");
  return std::make_unique<ImageFolder>(options, split);
}

}  // namespace gen
