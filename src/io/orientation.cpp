#include <fmt/format.h>

#include "gen/core/error.h"
#include "io/codecs.h"

namespace gen::codecs {

int exif_orientation(std::string_view tiff) {
  constexpr uint32_t kOrientation = 0x0112, kShort = 3;
  if (tiff.size() < 8 || (!tiff.starts_with("II") && !tiff.starts_with("MM"))) return 1;
  const bool little = tiff[0] == 'I';
  const auto number = [&](size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<uint8_t>(tiff[at + (little ? bytes - 1 - i : i)]);
    return value;
  };
  const size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const size_t count = number(directory, 2);
  // Entries of 12 bytes: tag, type, count, value.
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (number(entry, 2) != kOrientation || number(entry + 2, 2) != kShort) continue;
    const auto value = number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image oriented(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  // Whether a picture's row or column is read backwards, by orientation (EXIF 2.32, 4.6.4.A).
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out{image.width, image.height, image.channels, {}};
  if (transposed) std::swap(out.width, out.height);
  out.pixels.resize(image.pixels.size());
  auto* to = out.pixels.data();
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x) {
      int64_t from_x = transposed ? y : x, from_y = transposed ? x : y;
      if (flip_x) from_x = image.width - 1 - from_x;
      if (flip_y) from_y = image.height - 1 - from_y;
      const auto* from = image.pixels.data() + (from_y * image.width + from_x) * image.channels;
      for (int64_t c = 0; c < image.channels; ++c) *to++ = from[c];
    }
  return out;
}

void check_size(uint64_t width, uint64_t height, int64_t max_pixels, const std::string& name) {
  if (width == 0 || height == 0)
    throw DataError(fmt::format("{}: an image of {} x {} pixels", name, width, height));
  if (width > static_cast<uint64_t>(max_pixels) / height)
    throw DataError(fmt::format("{}: expected an image of at most {} pixels, got {} x {} (make it smaller)",
                                name, max_pixels, width, height));
}

}  // namespace gen::codecs
