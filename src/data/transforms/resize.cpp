#include "data/transforms/resize.h"

#include <algorithm>
#include <cmath>

#include "gen/core/check.h"

namespace gen {
namespace {

/// The input pixels that make one output pixel along an axis.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

/// A triangle of half-width max(1, scale) about the output pixel's middle, cut at the borders and normalised.
std::vector<Taps> triangle_taps(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(1.0, scale);
  std::vector<Taps> all(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double middle = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(middle - support + 0.5));
    const auto last = std::min<int64_t>(in, static_cast<int64_t>(middle + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      weights.push_back(std::max(0.0, 1 - std::abs((static_cast<double>(k) + 0.5 - middle) / support)));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = first;
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

uint8_t to_byte(float value) { return static_cast<uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

/// One output value: the taps over input values `stride` apart.
uint8_t apply(const Taps& taps, const uint8_t* in, int64_t stride) {
  float sum = 0;
  const uint8_t* value = in + taps.first * stride;
  for (const float weight : taps.weights) {
    sum += weight * static_cast<float>(*value);
    value += stride;
  }
  return to_byte(sum);
}

}  // namespace

Image resize(const Image& image, const Region& region, int64_t width, int64_t height) {
  GEN_CHECK(region.left >= 0 && region.top >= 0 && region.width > 0 && region.height > 0 &&
                region.left + region.width <= image.width && region.top + region.height <= image.height,
            "region {} x {} at ({}, {}) of an image of {} x {}", region.width, region.height, region.left,
            region.top, image.width, image.height);
  const int64_t c = image.channels;
  const auto columns = triangle_taps(region.width, width), rows = triangle_taps(region.height, height);
  std::vector<uint8_t> narrow(
      static_cast<size_t>(region.height * width * c));  // rows of the region, `width` wide
  for (int64_t y = 0; y < region.height; ++y) {
    const uint8_t* in = image.pixels.data() + ((region.top + y) * image.width + region.left) * c;
    uint8_t* out = narrow.data() + y * width * c;
    for (int64_t x = 0; x < width; ++x)
      for (int64_t k = 0; k < c; ++k) *out++ = apply(columns[static_cast<size_t>(x)], in + k, c);
  }
  Image scaled{width, height, c, std::vector<uint8_t>(static_cast<size_t>(width * height * c))};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width * c; ++x)
      scaled.pixels[static_cast<size_t>(y * width * c + x)] =
          apply(rows[static_cast<size_t>(y)], narrow.data() + x, width * c);
  return scaled;
}

Image with_channels(const Image& image, int64_t channels) {
  if (image.channels == channels) return image;
  const auto count = static_cast<size_t>(image.width * image.height);
  Image changed{image.width, image.height, channels,
                std::vector<uint8_t>(count * static_cast<size_t>(channels))};
  for (size_t i = 0; i < count; ++i) {
    if (channels == 3) {
      std::fill_n(changed.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
    } else {
      const uint8_t* rgb = image.pixels.data() + 3 * i;
      // PIL's rounding of 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point.
      const uint32_t luma = rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U;
      changed.pixels[i] = static_cast<uint8_t>(luma >> 16);
    }
  }
  return changed;
}

}  // namespace gen
