#include "gen/io/image.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "gen/core/check.h"
#include "gen/core/finite.h"
#include "gen/io/content.h"
#include "gen/io/file.h"
#include "io/codecs.h"

namespace gen {
namespace {

constexpr uint64_t kLargestImageFile = uint64_t{1} << 30;
constexpr int kGridGrey = 128;  // between the tiles: seen beside black pictures and beside white ones

at::Tensor to_bytes(const at::Tensor& x) {
  const auto values = x.detach().to(at::kCPU).to(at::kFloat);
  if (const auto bad = rows_of(non_finite_rows(values)); !bad.empty())
    throw NumericalError(fmt::format("pixels that are NaN or infinite cannot be painted (in {} {})",
                                     values.dim() == 4 ? "the images" : "the channels", first_few(bad)));
  return values.clamp(0, 1).mul(255).round().to(at::kByte);  // at::round rounds half to even
}

}  // namespace

Image decode_image(const std::string& bytes, const std::string& name, int64_t max_pixels) {
  codecs::Decoded decoded;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) {
    decoded = codecs::decode_png(bytes, name, max_pixels);
  } else if (bytes.starts_with("\xFF\xD8\xFF")) {
    decoded = codecs::decode_jpeg(bytes, name, max_pixels);
  } else {
    throw DataError(
        fmt::format("{}: expected a PNG or a JPEG, got {}", name, content_name(bytes, "neither")));
  }
  return codecs::oriented(std::move(decoded.image), decoded.orientation);
}

Image read_image(const std::filesystem::path& path, int64_t max_pixels) {
  return decode_image(read_file(path, kLargestImageFile), path.string(), max_pixels);
}

void write_png(const std::filesystem::path& path, const Image& image, const Metadata& text) {
  write_file_atomically(path, encode_png(image, text));
}

Image to_image(const at::Tensor& x) {
  if (x.dim() != 3 || (x.size(0) != 1 && x.size(0) != 3) || x.numel() == 0)
    throw ShapeError(
        fmt::format("an image is [C, H, W] with C 1 or 3, got [{}]", fmt::join(x.sizes(), ", ")));
  const auto bytes = to_bytes(x).permute({1, 2, 0}).contiguous();  // [H, W, C]
  const auto* data = bytes.data_ptr<uint8_t>();
  return {x.size(2), x.size(1), x.size(0), std::vector<uint8_t>(data, data + bytes.numel())};
}

at::Tensor to_tensor(const Image& image) {
  auto pixels = at::empty({image.height, image.width, image.channels}, at::kByte);
  GEN_CHECK(static_cast<size_t>(pixels.numel()) == image.pixels.size(),
            "an image of {} x {} x {} has {} bytes", image.width, image.height, image.channels,
            image.pixels.size());
  std::copy(image.pixels.begin(), image.pixels.end(), pixels.mutable_data_ptr<uint8_t>());
  return pixels.permute({2, 0, 1}).contiguous();  // [C, H, W]
}

Image make_grid(const at::Tensor& images, int64_t columns, int64_t padding, int64_t min_tile) {
  if (images.dim() != 4 || (images.size(1) != 1 && images.size(1) != 3) || images.numel() == 0)
    throw ShapeError(fmt::format("images are [N, C, H, W] with N > 0 and C 1 or 3, got [{}]",
                                 fmt::join(images.sizes(), ", ")));
  GEN_CHECK(columns >= 0 && padding >= 0, "a grid of {} columns with padding {}", columns, padding);
  const int64_t count = images.size(0), channels = images.size(1);
  if (columns == 0) columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  columns = std::min(columns, count);
  const int64_t rows = (count + columns - 1) / columns;
  const int64_t scale = std::max<int64_t>(1, (min_tile + images.size(2) - 1) / images.size(2));
  const auto tiles = to_bytes(images).repeat_interleave(scale, 2).repeat_interleave(scale, 3);
  const int64_t height = tiles.size(2), width = tiles.size(3);
  auto grid = at::full({channels, rows * (height + padding) + padding, columns * (width + padding) + padding},
                       kGridGrey, at::kByte);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = padding + i / columns * (height + padding),
                  left = padding + i % columns * (width + padding);
    grid.slice(1, top, top + height).slice(2, left, left + width).copy_(tiles[i]);
  }
  const auto pixels = grid.permute({1, 2, 0}).contiguous();  // [H, W, C]
  const auto* data = pixels.data_ptr<uint8_t>();
  return {grid.size(2), grid.size(1), channels, std::vector<uint8_t>(data, data + pixels.numel())};
}

}  // namespace gen
