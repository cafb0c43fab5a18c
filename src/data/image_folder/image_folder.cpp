#include "data/image_folder/image_folder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "data/image_folder/scan.h"
#include "data/transforms/flip.h"
#include "data/transforms/resize.h"
#include "gen/core/check.h"
#include "gen/io/image.h"

namespace gen {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> class_names(const ImageFolderOptions& options,
                                     const std::vector<std::string>& files) {
  if (options.labels == FolderLabels::none) return {};
  std::vector<std::string>
      names;  // of sorted files, but "a-b/" sorts before "a/" while "a" sorts before "a-b"
  for (const auto& file : files) {
    const std::string name = top_folder(file);
    if (name.empty()) {
      if (options.labels == FolderLabels::automatic) return {};
      throw DataError(
          fmt::format("{}: this image lies in no sub-folder, so it has no class; move it into one or set "
                      "data.labels to \"none\"",
                      (fs::path(options.path) / file).string()));
    }
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  if (names.size() < 2 && options.labels == FolderLabels::automatic) return {};
  return names;
}

/// The largest square of the image, in its middle (`rng` null) or anywhere along the longer side.
Region square_of(const Image& image, HostRng* rng) {
  const int64_t side = std::min(image.width, image.height);
  const auto offset = [&](int64_t room) {
    return rng != nullptr ? static_cast<int64_t>(rng->below(static_cast<uint64_t>(room) + 1)) : room / 2;
  };
  return {offset(image.width - side), offset(image.height - side), side, side};
}

class ImageFolder final : public Dataset {
 public:
  ImageFolder(const ImageFolderOptions& options, Split split) : options_(options), split_(split) {
    const auto files = scan_images(options.path);
    spec_.shape = {options.channels, options.size, options.size};
    spec_.class_names = class_names(options, files);
    spec_.num_classes = static_cast<int64_t>(spec_.class_names.size());
    for (const auto& file : files)
      if (split_of(file, options.validation_fraction, options.test_fraction) == split) files_.push_back(file);
  }
  const DataSpec& spec() const override { return spec_; }
  Split split() const override { return split_; }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  BadExampleOptions bad_examples() const override { return options_.bad_examples; }

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
    if (spec_.num_classes > 0) {
      const auto& names = spec_.class_names;
      example.label = std::lower_bound(names.begin(), names.end(), top_folder(file)) - names.begin();
    }
    return example;
  }

 private:
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
